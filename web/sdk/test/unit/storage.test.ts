import 'fake-indexeddb/auto';
import { describe, expect, it, vi } from 'vitest';
import { IndexedDbStorage } from '../../src/storage_indexeddb.ts';
import { Keeper } from '../../src/storage.ts';
import type { Change, Storage } from '../../src/types.ts';
import { MemoryStorage } from '../lib/memory.ts';

const message = (channel: string, message_id: number) => ({ channel, message_id, text: 'm' + message_id });
const put = (channel: string, id: number): Change => ({
  store: 'messages',
  key: [channel, id],
  update: () => message(channel, id),
});

describe.each([
  ['IndexedDB', () => IndexedDbStorage.open('test-' + Math.random())],
  ['a storage of the page', async () => new MemoryStorage() as Storage],
] as const)('%s', (_name, open) => {
  it('keeps by key, ascending, a channel by itself', async () => {
    const storage = await open();
    await storage.write([put('a', 10), put('a', 2), put('b', 1)]);
    expect(await storage.all('messages', 'a')).toEqual([message('a', 2), message('a', 10)]);
    expect(await storage.all('messages')).toHaveLength(3);
  });

  it('changes what is there, takes away, trims', async () => {
    const storage = await open();
    await storage.write([1, 2, 3].map((id) => put('a', id)));
    await storage.write([
      { store: 'messages', key: ['a', 2], update: (old) => ({ ...old, text: old.text + '!' }) },
      { store: 'messages', key: ['a', 3], update: () => undefined },
      { store: 'messages', key: ['a', 9], update: (old) => old && { ...old, text: 'never' } },
      { store: 'messages', channel: 'a', upTo: 1 },
    ]);
    expect(await storage.all('messages')).toEqual([{ ...message('a', 2), text: 'm2!' }]);
    await storage.write([put('b', 1), { store: 'messages', channel: null, upTo: Infinity }]);
    expect(await storage.all('messages')).toEqual([]);
  });

  it('changes of one write see what those before it made', async () => {
    const storage = await open();
    const edit: Change = { store: 'messages', key: ['a', 1], update: (old) => old && { ...old, text: 'edited' } };
    await storage.write([{ store: 'messages', key: ['a', 1], update: (old) => old ?? message('a', 1) }, edit]);
    expect(await storage.all('messages', 'a')).toEqual([{ ...message('a', 1), text: 'edited' }]);
    await storage.write([
      { store: 'messages', key: ['a', 2], update: (old) => old ?? message('a', 2) },
      { store: 'messages', channel: 'a', upTo: Infinity },
    ]);
    expect(await storage.all('messages', 'a')).toEqual([]);
    await storage.write([edit, put('a', 1)]);
    expect(await storage.all('messages', 'a')).toEqual([message('a', 1)]);
  });

  it('a clear takes all', async () => {
    const storage = await open();
    await storage.write([put('a', 1), { store: 'meta', key: 'meta', update: () => ({ user: 'alice' }) }]);
    await storage.clear();
    expect(await storage.all('meta')).toEqual([]);
    expect(await storage.all('messages')).toEqual([]);
  });
});

it('what is put after a clear stays, what was put before goes', async () => {
  for (const storage of [await IndexedDbStorage.open('test-' + Math.random()), new MemoryStorage()]) {
    const keeper = new Keeper(() => {});
    await keeper.open({ storage });
    keeper.put('outbox', 'a', 'before');
    void keeper.flush();
    keeper.put('outbox', 'b', 'not begun');
    void keeper.clear();
    keeper.put('outbox', 'c', 'after');
    await keeper.flush();
    expect(await storage.all('outbox')).toEqual(['after']);
  }
});

describe('a full disk', () => {
  class Full extends MemoryStorage {
    room = Infinity;
    override async write(changes: readonly Change[]): Promise<void> {
      const now = (await this.all('messages')).length;
      const added = changes.filter((c) => 'key' in c).length;
      if (now + added > this.room) throw new DOMException('full', 'QuotaExceededError');
      return super.write(changes);
    }
  }

  it('costs the old messages first', async () => {
    const degraded = vi.fn();
    const disk = new Full();
    const keeper = new Keeper(degraded);
    await keeper.open({ storage: disk });
    [1, 2, 3].forEach((id) => keeper.add(put('a', id)));
    await keeper.flush();
    disk.room = 3;
    keeper.put('outbox', 'x', { client_id: 'x' });
    await keeper.flush();
    expect(await disk.all('outbox')).toEqual([{ client_id: 'x' }]);
    expect(await disk.all('messages')).toEqual([]);
    expect(degraded).not.toHaveBeenCalled();
  });

  it('keeps nothing of before a clear, whatever it was doing for it', async () => {
    // the clear comes while the write is refused, or while room is made for it
    for (const at of [1, 2]) {
      const degraded = vi.fn();
      const keeper = new Keeper(degraded);
      const disk = new Full();
      const write = vi.spyOn(disk, 'write').mockImplementation(async (changes) => {
        const n = write.mock.calls.length;
        if (n === at) void keeper.clear();
        if (n === 1) throw new DOMException('full', 'QuotaExceededError');
        return MemoryStorage.prototype.write.call(disk, changes);
      });
      await keeper.open({ storage: disk });
      keeper.put('outbox', 'x', { text: 'private' });
      await keeper.flush();
      expect(await disk.all('outbox')).toEqual([]);
      keeper.put('outbox', 'y', 'of the next one');
      await keeper.flush();
      expect(await disk.all('outbox')).toEqual(['of the next one']);
      expect(degraded).not.toHaveBeenCalled();
    }
  });

  it('is told when that does not help, and nobody waits for it any more', async () => {
    const degraded = vi.fn();
    const disk = new Full();
    const keeper = new Keeper(degraded);
    await keeper.open({ storage: disk });
    disk.room = 0;
    keeper.put('outbox', 'x', {});
    keeper.put('outbox', 'y', {});
    await keeper.flush();
    keeper.put('outbox', 'z', {});
    await keeper.flush();
    expect(degraded).toHaveBeenCalledOnce();
    expect(keeper.kind).toBe('memory');
  });

  it('a browser that has no database for us: memory', async () => {
    const open = vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('no', 'SecurityError');
    });
    const keeper = new Keeper(() => {});
    await keeper.open({});
    expect(keeper.kind).toBe('memory');
    expect(await keeper.all('messages')).toEqual([]);
    open.mockRestore();
  });
});

it('commits as soon as all is asked for: the page may end now', async () => {
  const storage = await IndexedDbStorage.open('test-' + Math.random());
  const commit = vi.spyOn(IDBTransaction.prototype, 'commit');
  const written = storage.write([put('a', 1)]);
  expect(commit).toHaveBeenCalledTimes(1);
  await written;
});
