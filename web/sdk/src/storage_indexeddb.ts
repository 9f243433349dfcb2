// The stores of storage_memory.ts in IndexedDB; one write is one transaction.
import type { Change, Storage, StoreKey, StoreName } from './types.ts';

const VERSION = 1;
const STORES: StoreName[] = ['meta', 'channels', 'messages', 'users', 'contacts', 'outbox'];

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class IndexedDbStorage implements Storage {
  readonly kind = 'indexeddb';

  private constructor(private readonly db: IDBDatabase) {}

  static async open(name: string): Promise<IndexedDbStorage> {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    const db = await done(request);
    // another tab with a newer version of the page must not wait for this one
    db.onversionchange = () => db.close();
    return new IndexedDbStorage(db);
  }

  get<T>(store: StoreName, key: StoreKey): Promise<T | undefined> {
    return this.#read(store, (s) => s.get(key));
  }

  async all<T>(store: StoreName, prefix?: string, limit = Infinity): Promise<T[]> {
    const range = prefix === undefined ? null : IDBKeyRange.bound([prefix, 0], [prefix, Infinity]);
    const values: T[] = await this.#read(store, (s) => s.getAll(range));
    return values.slice(-limit);
  }

  write(changes: readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const names = [...new Set(changes.map((change) => change.store))];
      if (!names.length) return resolve();
      const transaction = this.db.transaction(names, 'readwrite');
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
      for (const change of changes) apply(transaction.objectStore(change.store), change);
    });
  }

  clear(): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.db.transaction(STORES, 'readwrite');
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
      for (const store of STORES) transaction.objectStore(store).clear();
    });
  }

  close(): void {
    this.db.close();
  }

  async #read<T>(store: StoreName, ask: (store: IDBObjectStore) => IDBRequest): Promise<T> {
    return done(ask(this.db.transaction(store).objectStore(store))) as Promise<T>;
  }
}

function apply(store: IDBObjectStore, change: Change): void {
  if ('upTo' in change) {
    store.delete(IDBKeyRange.bound([change.channel, 0], [change.channel, change.upTo]));
    return;
  }
  const put = (value: unknown) => {
    if (value === undefined) store.delete(change.key);
    else store.put(value, change.key);
  };
  // a change that does not look at the old value needs no read
  if (change.update.length === 0) return put(change.update(undefined));
  const request = store.get(change.key);
  request.onsuccess = () => put(change.update(request.result));
}
