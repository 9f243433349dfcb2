import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heard, online, quick } from '../lib/chats.ts';
import { Proxy } from '../lib/proxy.ts';
import { Server, until } from '../lib/server.ts';

const MESSAGES = 1000;
const CUTS = 100;

describe('a network that breaks', () => {
  let server: Server;
  beforeAll(async () => void (server = await Server.start()));
  afterAll(() => server.stop());

  it(`${MESSAGES} messages over ${CUTS} cuts: each arrives once, in order, at both ends`, async () => {
    const proxy = await Proxy.to(server.port);
    const timing = { ...quick, backoff_min: 4, backoff_max: 20 };
    const alice = await online(server, 'alice', { url: proxy.url, timing });
    const bob = await online(server, 'bob', { url: proxy.url, timing });
    const atBob = heard(bob, 'message.new');
    const atAlice = heard(alice, 'message.new');

    const wanted = Array.from({ length: MESSAGES }, (_, i) => 'message ' + i);
    const sent = wanted.map((text) => alice.send({ to: 'bob', text }).sent);

    for (let cut = 0; cut < CUTS; cut++) {
      // in the middle of things: a few more went through since the last cut
      const goal = Math.min(MESSAGES - 1, Math.floor(((cut + 1) * MESSAGES) / (CUTS + 1)));
      await until(() => atAlice.length >= goal, `${goal} messages after ${cut} cuts`);
      proxy.cut();
    }
    const results = await Promise.all(sent);
    await until(() => atBob.length >= MESSAGES, 'all of them at bob: ' + atBob.length);
    proxy.close();

    for (const events of [atBob, atAlice]) {
      expect(events.map((e) => e.message.text)).toEqual(wanted);
      expect(events.map((e) => e.inbox_id)).toEqual(wanted.map((_, i) => i + 1));
    }
    expect(results.map((r) => r.message_id)).toEqual(wanted.map((_, i) => i + 1));
    expect(alice.outbox()).toEqual([]);
    // nothing was stored twice either
    const { messages } = await server.rpc('bob', 'message.history', { channel: results[0]!.channel, limit: 200 });
    expect(messages.at(-1)).toMatchObject({ message_id: MESSAGES, text: wanted.at(-1) });
  });

  it('what is typed offline is sent later, in order', async () => {
    const proxy = await Proxy.to(server.port);
    const carol = await online(server, 'carol', { url: proxy.url });
    proxy.down();
    await until(() => carol.state.status === 'waiting', 'the cut to be seen');
    const sent = ['one', 'two', 'three'].map((text) => carol.send({ to: 'dave', text }).sent);
    expect(carol.outbox().map((e) => e.text)).toEqual(['one', 'two', 'three']);
    proxy.up();
    expect((await Promise.all(sent)).map((r) => r.message_id)).toEqual([1, 2, 3]);
    proxy.close();
  });
});
