// A storage of one's own, in its simplest form.
import type { Change, Storage, StoreKey, StoreName } from '../../src/index.ts';

const STORES: StoreName[] = ['meta', 'channels', 'messages', 'users', 'contacts', 'outbox'];

type Row = { key: StoreKey; value: unknown };

const text = (key: StoreKey) => (typeof key === 'string' ? key : key[0] + '\n' + key[1]);

const compare = (a: StoreKey, b: StoreKey): number => {
  if (typeof a === 'string' || typeof b === 'string') return a < b ? -1 : 1;
  return a[0] === b[0] ? a[1] - b[1] : a[0] < b[0] ? -1 : 1;
};

export class MemoryStorage implements Storage {
  readonly kind = 'custom';
  readonly #stores = new Map(STORES.map((name) => [name, new Map<string, Row>()]));

  async all<T>(store: StoreName, channel?: string): Promise<T[]> {
    const rows = [...this.#stores.get(store)!.values()].filter((row) => channel === undefined || row.key[0] === channel);
    return rows.sort((a, b) => compare(a.key, b.key)).map((row) => row.value as T);
  }

  async write(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      const rows = this.#stores.get(change.store)!;
      if ('upTo' in change) {
        for (const [name, { key }] of rows) {
          if (change.channel === null || (key[0] === change.channel && (key[1] as number) <= change.upTo)) rows.delete(name);
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
