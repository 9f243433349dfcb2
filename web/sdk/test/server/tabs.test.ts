import 'fake-indexeddb/auto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import WebSocket from 'ws';
import type { Chat } from '../../src/index.ts';
import { chatOf, heard, texts } from '../lib/chats.ts';
import { Locks } from '../lib/locks.ts';
import { Server, until } from '../lib/server.ts';

describe('tabs', () => {
  let server: Server;
  let opened = 0;
  let name = '';

  class Counted extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      opened++;
    }
  }

  beforeAll(async () => void (server = await Server.start()));
  afterAll(() => server.stop());
  beforeEach(() => {
    vi.stubGlobal('navigator', { locks: new Locks() });
    opened = 0;
    name = 'tabs-' + Math.random();
  });
  afterEach(() => vi.unstubAllGlobals());

  async function tab(user: string, timing = {}): Promise<Chat> {
    const chat = chatOf(server, user, { tabs: true, name, storage: 'indexeddb', WebSocket: Counted as any, timing });
    await chat.start();
    await until(() => chat.state.synced, 'a tab in sync');
    return chat;
  }

  it('share one connection; calls, events, markers and sends work in each', async () => {
    const first = await tab('alice');
    const second = await tab('alice');
    expect([first.state.leader, second.state.leader, opened]).toEqual([true, false, 1]);

    const atFirst = heard(first, 'message.new');
    const atSecond = heard(second, 'message.new');
    const { channel } = await second.send({ to: 'bob', text: 'from the second' }).sent;
    await first.send({ channel, text: 'from the first' }).sent;
    await until(() => atSecond.length === 2, 'both events');
    for (const list of [atFirst, atSecond]) {
      expect(list.map((e) => e.message.text)).toEqual(['from the second', 'from the first']);
    }
    await until(() => !second.outbox().length && !first.outbox().length, 'the outboxes to be empty');

    await server.send('bob', 'alice', 'an answer');
    await until(() => second.channel(channel)?.unread === 1 && first.channel(channel)?.unread === 1, 'unread');
    second.read(channel);
    await until(() => first.channel(channel)!.unread === 0, 'the marker in the other tab');
    await until(async () => (await server.rpc('alice', 'channel.list')).channels[0].unread === 0, 'at the server');

    const timeline = second.timeline({ channel });
    await timeline.newest();
    expect(texts(timeline.messages)).toEqual(['from the second', 'from the first', 'an answer']);
    await expect(second.call('channel.get', { channel: 'none' })).rejects.toMatchObject({ code: 404 });
  });

  it('when the tab with the connection closes, another takes over and misses nothing', async () => {
    const first = await tab('carol');
    const second = await tab('carol');
    const third = await tab('carol');
    const came = heard(third, 'message.new');
    await server.send('bob', 'carol', '1');
    await until(() => came.length === 1, 'the first');
    // asked of a tab that will not answer any more
    const call = third.call('user.get', { user: 'carol' });
    void first.stop();
    for (const text of ['2', '3']) await server.send('bob', 'carol', text);
    expect((await call).user.user).toBe('carol');
    await until(() => second.state.leader && third.state.synced, 'the takeover');
    await until(() => came.length === 3, 'all of them');
    expect(came.map((e) => e.message.text)).toEqual(['1', '2', '3']);
    const { sent } = third.send({ to: 'bob', text: 'still here' });
    expect((await sent).message_id).toBe(4);
    expect(opened).toBe(2);
  });

  it('a frozen tab loses the connection to one that works', async () => {
    const first = await tab('dave');
    const post = BroadcastChannel.prototype.postMessage;
    const frozen = vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockImplementation(function (this: BroadcastChannel, data) {
      if (data.type === 'hello') return;
      return post.call(this, data);
    });
    try {
      const second = await tab('dave', { leader: 50 });
      expect(second.state.leader).toBe(true);
      frozen.mockRestore();
      await until(() => !first.state.leader, 'the first to step back');
    } finally {
      frozen.mockRestore();
    }
  });

  it('logging out in two tabs at once empties both', async () => {
    const first = await tab('erin');
    const second = await tab('erin');
    await first.send({ to: 'bob', text: 'x' }).sent;
    await until(() => second.channels().length, 'the channel');
    await Promise.all([first.logout(), second.logout()]);
    for (const chat of [first, second]) {
      expect(chat.state).toMatchObject({ status: 'signed_out', reason: 'logged_out', user: null });
      expect(chat.channels()).toEqual([]);
    }
  });
});
