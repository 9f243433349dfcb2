// Keeps things as long as the page or process lives; also the shape of the
// database in its simplest form.
import type { Change, Storage, StoreKey, StoreName } from './types.ts';

const STORES: StoreName[] = ['meta', 'channels', 'messages', 'users', 'contacts', 'outbox'];

type Row = { key: StoreKey; value: unknown };

const text = (key: StoreKey) => (typeof key === 'string' ? key : key[0] + '\n' + key[1]);

const compare = (a: StoreKey, b: StoreKey): number => {
  if (typeof a === 'string' || typeof b === 'string') return a < b ? -1 : 1;
  return a[0] === b[0] ? a[1] - b[1] : a[0] < b[0] ? -1 : 1;
};

export class MemoryStorage implements Storage {
  readonly kind = 'memory';
  readonly #stores = new Map(STORES.map((name) => [name, new Map<string, Row>()]));

  async get<T>(store: StoreName, key: StoreKey): Promise<T | undefined> {
    return this.#stores.get(store)!.get(text(key))?.value as T | undefined;
  }

  async all<T>(store: StoreName, prefix?: string, limit = Infinity): Promise<T[]> {
    const rows = [...this.#stores.get(store)!.values()].filter((row) => prefix === undefined || row.key[0] === prefix);
    return rows
      .sort((a, b) => compare(a.key, b.key))
      .slice(-limit)
      .map((row) => row.value as T);
  }

  async write(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      const rows = this.#stores.get(change.store)!;
      if ('upTo' in change) {
        for (const [name, { key }] of rows) {
          if (key[0] === change.channel && (key[1] as number) <= change.upTo) rows.delete(name);
        }
        continue;
      }
      const name = text(change.key);
      const value = change.update(rows.get(name)?.value);
      if (value === undefined) rows.delete(name);
      else rows.set(name, { key: change.key, value });
    }
  }

  async clear(): Promise<void> {
    for (const rows of this.#stores.values()) rows.clear();
  }

  close(): void {}
}
