import 'fake-indexeddb/auto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Message } from '../../src/index.ts';
import { MemoryStorage } from '../lib/memory.ts';
import { chatOf, heard, online, texts } from '../lib/chats.ts';
import { Proxy } from '../lib/proxy.ts';
import { Server, token, until } from '../lib/server.ts';

const DAY = 24 * 3600 * 1000;
const HOUR = 3600 * 1000;

describe('what is kept', () => {
  let server: Server;
  beforeAll(async () => void (server = await Server.start()));
  afterAll(() => server.stop());

  const options = (name: string) => ({ storage: 'indexeddb' as const, name });

  it('a reload shows channels and messages before the network answers, and misses nothing', async () => {
    const proxy = await Proxy.to(server.port);
    const alice = await online(server, 'alice', { ...options('reload'), url: proxy.url });
    expect(alice.state.storage).toBe('indexeddb');
    const { channel } = await alice.send({ to: 'bob', text: 'one' }).sent;
    await server.send('bob', 'alice', 'two');
    await alice.edit(channel, 1, 'uno');
    await until(() => alice.channel(channel)?.newest === 2, 'the answer');
    await until(async () => (await server.rpc('alice', 'device.list')).devices.some((d: any) => d.inbox_id === 3), 'ack');
    await alice.stop();

    proxy.down();
    await server.send('bob', 'alice', 'three');
    const again = chatOf(server, 'alice', { ...options('reload'), url: proxy.url });
    await again.start();
    expect(again.state.synced).toBe(false);
    expect(again.channels().map((c) => [c.channel, c.newest, c.unread])).toEqual([[channel, 2, 1]]);
    const timeline = again.timeline({ channel });
    void timeline.newest().catch(() => {});
    await until(() => timeline.messages.length, 'the cached messages');
    expect(texts(timeline.messages)).toEqual(['uno', 'two']);

    const came = heard(again, 'message.new');
    proxy.up();
    await until(() => again.state.synced, 'in sync');
    expect(came.map((e) => e.message.text)).toEqual(['three']);
    expect(texts(timeline.messages)).toEqual(['uno', 'two', 'three']);
    proxy.close();
  });

  it('what was typed offline outlives the page, and is sent once', async () => {
    const proxy = await Proxy.to(server.port);
    const carol = await online(server, 'carol', { ...options('outbox'), url: proxy.url });
    proxy.down();
    await until(() => carol.state.status === 'waiting', 'the cut');
    carol.send({ to: 'dave', text: 'one' });
    carol.send({ to: 'dave', text: 'two' });
    await carol.stop();

    const again = chatOf(server, 'carol', { ...options('outbox'), url: proxy.url });
    await again.start();
    expect(again.outbox().map((e) => [e.text, e.state])).toEqual([
      ['one', 'queued'],
      ['two', 'queued'],
    ]);
    proxy.up();
    await until(() => again.outbox().length === 0, 'the outbox to be empty');
    const channel = again.direct('dave')!.channel;
    expect((await again.call('message.history', { channel })).messages.map((m) => m.text)).toEqual(['one', 'two']);
    proxy.close();
  });

  it('what leaves the outbox is kept as a message at once, whenever the page ends', async () => {
    const kept: number[] = [];
    class Watched extends MemoryStorage {
      override async write(changes: Parameters<MemoryStorage['write']>[0]): Promise<void> {
        await super.write(changes);
        const rows = [...(await this.all<any>('outbox')), ...(await this.all<any>('messages'))];
        kept.push(rows.filter((row) => row.text === 'one').length);
      }
    }
    const kim = await online(server, 'kim', { storage: new Watched(), timing: { flush: 1e6, ack: 1e6 } });
    await kim.send({ to: 'bob', text: 'one' }).sent;
    await until(() => kim.outbox().length === 0, 'the outbox to be empty');
    await kim.stop();
    const first = kept.indexOf(1);
    expect(first).toBeGreaterThanOrEqual(0);
    expect(new Set(kept.slice(first))).toEqual(new Set([1]));
  });

  it('another user of the same page sees nothing of the one before', async () => {
    const erin = await online(server, 'erin', options('users'));
    await erin.send({ to: 'bob', text: 'secret' }).sent;
    await erin.stop();
    const frank = await online(server, 'frank', options('users'));
    expect(frank.channels()).toEqual([]);
    expect(frank.outbox()).toEqual([]);
    await frank.stop();
    const erinAgain = await online(server, 'erin', options('users'));
    await until(() => erinAgain.channels().length === 1, 'her channel from the server');
  });

  it('a full disk: goes on in memory, and says so', async () => {
    class Full extends MemoryStorage {
      full = false;
      override write: MemoryStorage['write'] = async (changes) => {
        if (this.full) throw new DOMException('full', 'QuotaExceededError');
        return MemoryStorage.prototype.write.call(this, changes);
      };
    }
    const disk = new Full();
    const gina = await online(server, 'gina', { storage: disk });
    disk.full = true;
    const timeline = gina.timeline({ to: 'bob' });
    for (const text of ['one', 'two']) await gina.send({ to: 'bob', text }).sent;
    await until(() => gina.state.storage === 'memory', 'the state to tell');
    await until(() => timeline.messages.length === 2, 'both messages');
    expect(gina.outbox()).toEqual([]);
  });

  it('a clock that is wrong by a day does no harm', async () => {
    const real = Date.now;
    const spy = vi.spyOn(Date, 'now').mockImplementation(() => real() + DAY);
    try {
      const henry = await online(server, 'henry', {
        token: () => token('henry', { iat: Math.floor(real() / 1000), exp: Math.floor(real() / 1000) + 3600 }),
      });
      expect(Math.abs(henry.now() - real())).toBeLessThan(HOUR);
      const came = heard(henry, 'message.new');
      const { sent_at } = await henry.send({ to: 'henry', text: 'a note' }).sent;
      expect(Math.abs(sent_at - henry.now())).toBeLessThan(HOUR);
      await until(() => came.length, 'the event');
      expect(henry.state.status).toBe('online');
    } finally {
      spy.mockRestore();
    }
  });

  it('history: pages back, around a message, by date; windows grow together', async () => {
    const ida = await online(server, 'ida');
    for (let i = 1; i <= 130; i++) await server.send('ida', 'jo', 'm' + i);
    await until(() => ida.direct('jo')?.newest === 130, 'all of them');
    const timeline = ida.timeline({ to: 'jo' });
    const ids = (list: readonly Message[]) => [list[0]?.message_id, list.at(-1)?.message_id, list.length];
    await timeline.newest();
    expect(ids(timeline.messages)).toEqual([81, 130, 50]);
    expect([timeline.has_before, timeline.has_after]).toEqual([true, false]);
    await timeline.before();
    expect(ids(timeline.messages)).toEqual([31, 130, 100]);
    await timeline.around(5);
    expect(timeline.messages.some((m) => m.message_id === 5)).toBe(true);
    expect(timeline.messages.at(-1)!.message_id).toBe(130);
    await timeline.before();
    expect(ids(timeline.messages)).toEqual([1, 130, 130]);
    expect(timeline.has_before).toBe(false);

    const other = await online(server, 'jo');
    const far = other.timeline({ to: 'ida' });
    await far.around(20);
    expect(far.has_after).toBe(true);
    const last = far.messages.at(-1)!.message_id;
    await far.after(10);
    expect(far.messages.at(-1)!.message_id).toBe(last + 10);
    const at = timeline.messages[99]!.sent_at;
    const found = await far.date(at);
    expect(timeline.messages[found! - 1]!.sent_at).toBeGreaterThanOrEqual(at);
    expect(timeline.messages[found! - 2]!.sent_at).toBeLessThan(at);
    expect(await far.date(other.now() + DAY)).toBeNull();
  });
});
