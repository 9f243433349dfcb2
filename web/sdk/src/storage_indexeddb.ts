// The stores in IndexedDB; one write is one transaction.
import type { Change, Storage, StoreName } from './types.ts';

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

  all<T>(store: StoreName, channel?: string): Promise<T[]> {
    return done(this.db.transaction(store).objectStore(store).getAll(channel === undefined ? null : range(channel)));
  }

  write(changes: readonly Change[]): Promise<void> {
    return this.#change([...new Set(changes.map((change) => change.store))], (transaction) => apply(changes, 0, transaction));
  }

  clear(): Promise<void> {
    return this.#change(STORES, (transaction) => STORES.forEach((name) => transaction.objectStore(name).clear()));
  }

  close(): void {
    this.db.close();
  }

  async #change(names: StoreName[], work: (transaction: IDBTransaction) => void): Promise<void> {
    const transaction = this.db.transaction(names, 'readwrite');
    work(transaction);
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      // an error of one request becomes the end of all
      transaction.onabort = () => reject(transaction.error);
    });
  }
}

const range = (channel: string, upTo = Infinity) => IDBKeyRange.bound([channel, 0], [channel, upTo]);

/** One after the other: the next may change what this one puts. */
function apply(changes: readonly Change[], from: number, transaction: IDBTransaction): void {
  for (let i = from; i < changes.length; i++) {
    const change = changes[i]!;
    const store = transaction.objectStore(change.store);
    if ('upTo' in change) {
      if (change.channel === null) store.clear();
      else store.delete(range(change.channel, change.upTo));
      continue;
    }
    const { key, update } = change;
    const put = (value: unknown) => (value === undefined ? store.delete(key) : store.put(value, key));
    if (update.length) {
      const request = store.get(key);
      request.onsuccess = () => {
        put(update(request.result));
        apply(changes, i + 1, transaction);
      };
      return;
    }
    // a change that does not look at the old value needs no read
    put(update(undefined));
  }
  // kept even if the page ends now
  transaction.commit();
}
