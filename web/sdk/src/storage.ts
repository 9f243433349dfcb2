// Where things are kept: IndexedDB while it works, memory from then on.  A
// full disk costs the old messages first, and never what waits to be sent.
import { IndexedDbStorage } from './storage_indexeddb.ts';
import { MemoryStorage } from './storage_memory.ts';
import type { Change, Storage, StoreKey, StoreName } from './types.ts';

const KEPT: StoreName[] = ['meta', 'channels', 'users', 'contacts', 'outbox'];

export async function openStorage(name: string, wanted: 'indexeddb' | 'memory' | Storage | undefined): Promise<Storage> {
  if (typeof wanted === 'object') return wanted;
  if (wanted !== 'memory' && typeof indexedDB !== 'undefined') {
    try {
      return await IndexedDbStorage.open(name);
    } catch {
      // private windows and full disks
    }
  }
  return new MemoryStorage();
}

/** Writes in order, in the background. */
export class Keeper {
  #queue: Change[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(
    private storage: Storage,
    private readonly degraded: () => void,
  ) {}

  get kind(): Storage['kind'] {
    return this.storage.kind;
  }

  get<T>(store: StoreName, key: StoreKey): Promise<T | undefined> {
    return this.storage.get<T>(store, key).catch(() => undefined);
  }

  all<T>(store: StoreName, prefix?: string, limit?: number): Promise<T[]> {
    return this.storage.all<T>(store, prefix, limit).catch(() => []);
  }

  /** Goes into the next flush(). */
  add(change: Change): void {
    this.#queue.push(change);
  }

  put(store: StoreName, key: StoreKey, value: unknown): void {
    this.add({ store, key, update: () => value });
  }

  /** Resolves when everything added before is kept as well as it can be. */
  flush(): Promise<void> {
    const changes = this.#queue.splice(0);
    if (changes.length) {
      // begun at once: the page may be gone in a moment
      const storage = this.storage;
      const written = storage.write(changes).catch(() => this.#again(storage, changes));
      this.#running = this.#running.then(() => written);
    }
    return this.#running;
  }

  clear(): Promise<void> {
    this.#queue = [];
    this.#running = this.#running.then(() => this.storage.clear()).catch(() => {});
    return this.#running;
  }

  async close(): Promise<void> {
    await this.flush();
    this.storage.close();
  }

  async #again(storage: Storage, changes: Change[]): Promise<void> {
    if (storage !== this.storage) return this.storage.write(changes);
    if (!(await this.#withoutMessages(changes))) await this.#toMemory(changes);
  }

  async #withoutMessages(changes: Change[]): Promise<boolean> {
    try {
      const channels = await this.storage.all<{ channel: string }>('channels');
      await this.storage.write(channels.map(({ channel }) => ({ store: 'messages', channel, upTo: Infinity })));
      await this.storage.write(changes);
      return true;
    } catch {
      return false;
    }
  }

  async #toMemory(changes: Change[]): Promise<void> {
    const memory = new MemoryStorage();
    const old = this.storage;
    this.storage = memory;
    for (const store of KEPT) {
      const rows = await old.all<any>(store).catch(() => []);
      await memory.write(rows.map((row) => ({ store, key: keyOf(store, row), update: () => row })));
    }
    await memory.write(changes);
    old.close();
    this.degraded();
  }
}

/** The key of a value, where the value has it: everything but meta, whose values are {name, value}. */
export function keyOf(store: StoreName, row: any): StoreKey {
  switch (store) {
    case 'meta':
      return row.name;
    case 'channels':
      return row.channel;
    case 'messages':
      return [row.channel, row.message_id];
    case 'outbox':
      return row.client_id;
    default:
      return row.user;
  }
}
