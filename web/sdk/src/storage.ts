// What is kept, in the background: in IndexedDB while it works.  A full disk
// costs the old messages first, never what waits to be sent; if that does not
// help, nothing is kept any more and the page lives from memory.
import { IndexedDbStorage } from './storage_indexeddb.ts';
import type { Change, ChatOptions, Storage, StoreKey, StoreName } from './types.ts';

export class Keeper {
  #storage: Storage | null = null;
  /** Another one after each clear(). */
  #queue: Change[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(private readonly degraded: () => void) {}

  get kind(): 'indexeddb' | 'custom' | 'memory' {
    return this.#storage?.kind ?? 'memory';
  }

  async open({ name = 'chat', storage }: ChatOptions): Promise<void> {
    if (typeof storage === 'object') this.#storage = storage;
    else if (storage !== 'memory' && typeof indexedDB !== 'undefined') {
      // there is none in some private windows and on full disks
      this.#storage = await IndexedDbStorage.open(name).catch(() => null);
    }
  }

  async all<T>(store: StoreName, channel?: string): Promise<T[]> {
    return this.#storage?.all<T>(store, channel).catch(() => []) ?? [];
  }

  /** Goes into the next flush(). */
  add(change: Change): void {
    if (this.#storage) this.#queue.push(change);
  }

  put(store: StoreName, key: StoreKey, value: unknown): void {
    this.add({ store, key, update: () => value });
  }

  /** Kept by itself, now: the page may be gone in a moment. */
  now(store: StoreName, key: StoreKey, value: unknown): Promise<void> {
    return this.#write([{ store, key, update: () => value }]);
  }

  /** Resolves when everything added before is kept as well as it can be. */
  flush(): Promise<void> {
    return this.#write(this.#queue.splice(0));
  }

  #write(changes: Change[]): Promise<void> {
    const storage = this.#storage;
    const queue = this.#queue;
    if (changes.length && storage) {
      const written = storage.write(changes).catch(() => this.#withoutMessages(storage, changes, queue));
      this.#running = this.#running.then(() => written);
    }
    return this.#running;
  }

  clear(): Promise<void> {
    this.#queue = [];
    const cleared = this.#storage?.clear().catch(() => {});
    return (this.#running = this.#running.then(() => cleared));
  }

  async close(): Promise<void> {
    await this.flush();
    this.#storage?.close();
  }

  async #withoutMessages(storage: Storage, changes: Change[], queue: Change[]): Promise<void> {
    try {
      for (const part of [[{ store: 'messages', channel: null, upTo: Infinity } as const], changes]) {
        // what a clear has taken must not come back after it
        if (queue === this.#queue) await storage.write(part);
      }
    } catch {
      if (!this.#storage) return;
      this.#storage = null;
      this.degraded();
    }
  }
}
