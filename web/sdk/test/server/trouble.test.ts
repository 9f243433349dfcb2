import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { ChatError } from '../../src/index.ts';
import { chatOf, heard, online, quick } from '../lib/chats.ts';
import { Server, sign, token, until } from '../lib/server.ts';

const seconds = () => Math.floor(Date.now() / 1000);

describe('tokens', () => {
  let server: Server;
  beforeAll(async () => void (server = await Server.start()));
  afterAll(() => server.stop());

  it('one that ends is renewed on the live connection', async () => {
    const reasons: string[] = [];
    // two thirds of its time are over, so that it is renewed at once: the machine may stand still for the rest of it
    const old = { iat: seconds() - 60, exp: seconds() + 10 };
    const chat = await online(server, 'alice', {
      device: 'd1',
      token: (reason) => {
        reasons.push(reason);
        return token('alice', reasons.length === 1 ? old : {});
      },
    });
    const states = heard(chat, 'state');
    await until(() => reasons.length === 2, 'the second token');
    expect(reasons).toEqual(['first', 'expiring']);
    await until(() => seconds() > old.exp + 1, 'the first to be over');
    expect(states.filter((s) => s.status !== 'online')).toEqual([]);
    await chat.call('ping', {});
  });

  it('401 in the middle, while the site has no tokens to give: back when it has', async () => {
    const reasons: string[] = [];
    const chat = await online(server, 'bob', {
      WebSocket: null,
      token: (reason) => {
        reasons.push(reason);
        if (reasons.length > 1 && reasons.length < 4) throw new Error('no tokens today');
        return token('bob', reasons.length === 1 ? { exp: seconds() + 6 } : {});
      },
    });
    const came = heard(chat, 'message.new');
    // where the machine stood still the first one was over before it was of use
    await until(() => chat.state.status === 'waiting' || reasons.length >= 4, 'the end of the token');
    await server.send('carol', 'bob', 'hi');
    await until(() => came.length, 'the message');
    expect(reasons.length).toBeGreaterThanOrEqual(4);
  });

  it('one that is refused twice signs out', async () => {
    const reasons: string[] = [];
    const chat = chatOf(server, 'dave', {
      token: (reason) => {
        reasons.push(reason);
        return sign({ sub: 'dave', exp: 1 });
      },
    });
    await chat.start();
    await until(() => chat.state.status === 'signed_out', 'signed out');
    expect(reasons).toEqual(['first', 'refused']);
    expect(chat.state.reason).toBe('token_expired');
  });

  it('one that is refused once is replaced', async () => {
    let asked = 0;
    const chat = await online(server, 'erin', { token: () => (asked++ ? token('erin') : sign({ sub: 'erin', exp: 1 })) });
    expect(chat.state.user).toBe('erin');
    expect(asked).toBe(2);
  });

  it('a removed device is signed out, and its data goes', async () => {
    const claims = { dev: 'old', iat: seconds() - 10 };
    const chat = await online(server, 'frank', { token: () => token('frank', claims) });
    await chat.send({ to: 'frank', text: 'a note' }).sent;
    await until(() => chat.channels().length, 'the channel');
    await server.rpc('frank', 'device.remove', { device: 'old' });
    await until(() => chat.state.status === 'signed_out', 'signed out');
    expect(chat.state.reason).toMatch(/device_removed|token_ended/);
    await until(() => chat.channels().length === 0, 'nothing to be left');
  });
});

describe('a server in trouble', () => {
  it('429: what was refused is done later, nothing is lost or out of order', async () => {
    const limit = 'chat_rate 10r/s burst=5;';
    const server = await Server.start({ ws: limit });
    try {
      const alice = await online(server, 'alice');
      expect(alice.state.limits).toMatchObject({ rate_per_minute: 600, burst: 5 });
      const codes: number[] = [];
      const sent = Array.from({ length: 12 }, (_, i) => alice.send({ to: 'bob', text: 'm' + i }).sent);
      // as another program of the same user would
      const calls = Array.from({ length: 8 }, () => alice.call('ping', {}).catch((e: ChatError) => codes.push(e.code)));
      await Promise.all([...sent, ...calls]);
      expect(codes).toEqual([]);
      const { messages } = await server.rpc('bob', 'message.history', { channel: (await sent[0])!.channel });
      expect(messages.map((m: any) => m.text)).toEqual(Array.from({ length: 12 }, (_, i) => 'm' + i));
    } finally {
      await server.stop();
    }
  });

  it('429 because of another program of the user: waits as told, and stays connected', async () => {
    const limit = 'chat_rate 2r/s burst=3;';
    const server = await Server.start({ ws: limit, rpc: limit });
    let refused = 0;
    class Seen extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        this.on('message', (data) => (refused += Number(String(data).includes('"code":429'))));
      }
    }
    try {
      const alice = await online(server, 'alice', { WebSocket: Seen as any });
      const states = heard(alice, 'state');
      await until(async () => {
        // takes what the server would still allow
        await Promise.all(Array.from({ length: 10 }, () => server.rpc('alice', 'ping').catch(() => {})));
        await alice.call('ping', {});
        return refused;
      }, 'a refusal');
      expect(states.filter((s) => s.status !== 'online')).toEqual([]);
    } finally {
      await server.stop();
    }
  });

  it('the server is down for a while: reading from cache, sending later', async () => {
    const server = await Server.start();
    try {
      const alice = await online(server, 'alice');
      await alice.send({ to: 'bob', text: 'before' }).sent;
      await server.down();
      await until(() => alice.state.status === 'waiting', 'the cut');
      const { sent } = alice.send({ to: 'bob', text: 'meanwhile' });
      await expect(alice.call('ping', {}, { timeout: 50 })).rejects.toMatchObject({ code: 0 });
      await server.up();
      expect((await sent).message_id).toBe(2);
    } finally {
      await server.stop();
    }
  });

  it('the store dies while messages are sent and edited: each once', async () => {
    const server = await Server.start();
    try {
      const alice = await online(server, 'alice');
      const bob = await online(server, 'bob');
      const came = heard(bob, 'message.new');
      const { channel } = await alice.send({ to: 'bob', text: '0' }).sent;
      const sent = Array.from({ length: 50 }, (_, i) => alice.send({ channel, text: String(i + 1) }).sent);
      await sent[10];
      server.kill('chatd: store');
      const edited = alice.edit(channel, 1, 'edited');
      await Promise.all(sent);
      expect((await edited).text).toBe('edited');
      await until(() => came.length === 51, 'all at bob');
      expect(came.map((e) => e.message.text)).toEqual(Array.from({ length: 51 }, (_, i) => String(i)));
    } finally {
      await server.stop();
    }
  });

  it('503: a call waits as long as it is told', async () => {
    const server = await Server.start();
    try {
      let refusals = 0;
      const chat = await online(server, 'alice', {
        WebSocket: null,
        fetch: async (input, init) => {
          if (String(init?.body).includes('user.get') && refusals++ < 2) {
            return new Response('{"status":503,"reason":"unavailable"}', { status: 503, headers: { 'Retry-After': '1' } });
          }
          return fetch(input, init);
        },
      });
      const start = performance.now();
      expect((await chat.call('user.get', { user: 'alice' })).user.user).toBe('alice');
      // twice a second, less what a timer is early
      expect(performance.now() - start).toBeGreaterThan(1_900);
    } finally {
      await server.stop();
    }
  });

  it('another store: what was kept is dropped, and it starts over', async () => {
    const server = await Server.start();
    try {
      const alice = await online(server, 'alice');
      for (const text of ['a', 'b', 'c']) await alice.send({ to: 'bob', text }).sent;
      const resets = heard(alice, 'reset');
      const http = await online(server, 'alice', { WebSocket: null, device: 'http' });
      const httpResets = heard(http, 'reset');
      await server.down();
      server.resetStore();
      await server.up();
      await until(() => resets.length && httpResets.length, 'the reset of both');
      await until(() => alice.state.synced && http.state.synced, 'in sync');
      expect(alice.channels()).toEqual([]);
      expect(http.channels()).toEqual([]);
      const came = heard(alice, 'message.new');
      await server.send('carol', 'alice', 'new world');
      await until(() => came.length, 'the first message');
      expect(came[0]!.inbox_id).toBe(1);
    } finally {
      await server.stop();
    }
  });

  it('a reload of nginx: back when it says, nothing is missed', async () => {
    const server = await Server.start();
    try {
      const bob = await online(server, 'bob', { timing: { ...quick, poll: 5 } });
      const came = heard(bob, 'message.new');
      const closing = heard(bob, 'session.closing');
      await server.send('alice', 'bob', '1');
      await server.reload();
      await until(() => closing.length, 'session.closing');
      for (const text of ['2', '3']) await server.send('alice', 'bob', text);
      await until(() => came.length === 3, 'all three');
      expect(came.map((e) => e.message.text)).toEqual(['1', '2', '3']);
    } finally {
      await server.stop();
    }
  });
});
