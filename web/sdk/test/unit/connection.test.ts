import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection } from '../../src/connection.ts';
import { ChatError } from '../../src/errors.ts';
import { Http } from '../../src/http.ts';
import { defaults } from '../../src/timing.ts';
import type { ChatState, TokenReason } from '../../src/types.ts';
// loaded when it is wanted, which a test would have to wait for
import '../../src/transport_http.ts';

const READY = { user: 'alice', device: 'd', session: 's', inbox_id: 0, server_time: 0, heartbeat: 30, limits: {} };

class Socket {
  static all: Socket[] = [];
  readyState = 0;
  sent: any[] = [];
  onopen: any = null;
  onmessage: any = null;
  onerror: any = null;
  onclose: any = null;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    Socket.all.push(this);
  }

  send(data: string) {
    this.sent.push(JSON.parse(data));
  }

  close() {
    this.readyState = 3;
  }

  tell(method: string, params: unknown) {
    this.onmessage({ data: JSON.stringify({ jsonrpc: '2.0', method, params }) });
  }

  ready() {
    this.readyState = 1;
    this.tell('session.ready', READY);
  }

  end(code: number, reason = '') {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
}

describe('the connection', () => {
  let states: Partial<ChatState>[];
  let tokens: TokenReason[];
  let ended: string[];
  let pings: (() => Response)[];
  let connection: Connection;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1);
    Socket.all = [];
    states = [];
    tokens = [];
    ended = [];
    pings = [];
    const fetcher = async () => (pings.shift() ?? (() => Response.error()))();
    connection = new Connection(
      {
        http: new Http({ url: 'http://x', fetch: fetcher as any }),
        timing: defaults,
        transports: ['websocket', 'sse', 'longpoll'],
        WebSocket: Socket as any,
      },
      {
        cursor: () => 7,
        device: () => 'd',
        token: async (reason) => {
          tokens.push(reason);
          return 'T' + tokens.length;
        },
        ready: () => {},
        event: () => {},
        changed: (change) => void states.push(change),
        ended: (reason) => void ended.push(reason),
        ahead: () => {},
      },
    );
    connection.start();
  });

  afterEach(() => {
    connection.stop();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  const settle = () => vi.advanceTimersByTimeAsync(0);
  const socket = () => Socket.all.at(-1)!;
  const status = () => states.filter((s) => s.status).at(-1)!;
  const delay = () => status().retry_at! - Date.now();

  async function up() {
    await settle();
    socket().ready();
  }

  it('asks for what is new, with the token as a subprotocol', async () => {
    await up();
    expect(socket().url).toBe('ws://x/ws?after=7&device=d');
    expect(socket().protocols).toEqual(['chat.v1', 'bearer.T1']);
    expect(status()).toMatchObject({ status: 'online', transport: 'websocket' });
  });

  it('backs off longer and longer while nobody answers, and starts anew once it stood', async () => {
    const delays: number[] = [];
    await settle();
    for (let i = 0; i < 8; i++) {
      socket().end(1006);
      await settle();
      delays.push(delay());
      await vi.advanceTimersByTimeAsync(delay());
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    socket().ready();
    await vi.advanceTimersByTimeAsync(defaults.stable_after);
    socket().end(1006);
    expect(delay()).toBe(500);
  });

  it('does not hammer a server that ends each connection soon', async () => {
    await up();
    const delays: number[] = [];
    for (let i = 0; i < 4; i++) {
      await vi.advanceTimersByTimeAsync(1000);
      socket().end(1013);
      delays.push(delay());
      await vi.advanceTimersByTimeAsync(delay());
      socket().ready();
    }
    expect(delays).toEqual([500, 1000, 2000, 4000]);
  });

  it('1012 after session.closing: comes back when it was told to', async () => {
    await up();
    socket().tell('session.closing', { reason: 'reload', reconnect_after: 3000 });
    socket().end(1012, 'reload');
    expect(delay()).toBe(3000 + defaults.backoff_min);
  });

  it('1008 token_expired: asks for another token at once', async () => {
    await up();
    socket().end(1008, 'token_expired');
    await settle();
    expect(tokens).toEqual(['first', 'refused']);
    expect(Socket.all).toHaveLength(2);
    socket().end(1008, 'token_ended');
    expect(ended).toEqual(['token_ended']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('1008 rate_limited: waits, and keeps the token', async () => {
    await up();
    socket().end(1008, 'rate_limited');
    expect(delay()).toBe(500);
    await vi.advanceTimersByTimeAsync(500);
    expect(tokens).toEqual(['first', 'first']);
  });

  it('503 of the handshake, as HTTP tells it: stays away as long as it says', async () => {
    await settle();
    pings.push(() => new Response('{"reason":"unavailable"}', { status: 503, headers: { 'Retry-After': '7' } }));
    socket().end(1006);
    await settle();
    expect(delay()).toBe(7000 + defaults.backoff_min);
    expect(status().reason).toBe('unavailable');
  });

  it('401 of the handshake: asks for another token', async () => {
    await settle();
    pings.push(() => new Response('{"reason":"token_expired"}', { status: 401 }));
    socket().end(1006);
    await settle();
    expect(tokens).toEqual(['first', 'refused']);
  });

  it('a silent connection is asked, and left when it does not answer', async () => {
    await up();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(socket().sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(socket().sent).toEqual([expect.objectContaining({ method: 'ping' })]);
    socket().onmessage({ data: '{"jsonrpc":"2.0","id":1,"result":{"server_time":0}}' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(socket().sent).toHaveLength(2);
    expect(status().status).toBe('online');
    await vi.advanceTimersByTimeAsync(defaults.pong);
    expect(status()).toMatchObject({ status: 'waiting', reason: 'silent' });
  });

  it('calls of a connection that ends fail as offline, and none is answered twice', async () => {
    await up();
    const call = connection.request('ping', {});
    const failed = expect(call).rejects.toMatchObject({ code: 0, reason: 'offline' } satisfies Partial<ChatError>);
    socket().end(1006);
    await failed;
    await expect(connection.request('ping', {})).rejects.toMatchObject({ reason: 'offline' });
  });

  it('WebSocket that never gets through while HTTP does: the next transport has its turn', async () => {
    const fine = () => new Response('{"jsonrpc":"2.0","id":1,"result":{"server_time":1}}');
    await settle();
    pings.push(fine, fine);
    socket().end(1006);
    await settle();
    await vi.advanceTimersByTimeAsync(500);
    expect(Socket.all).toHaveLength(2);
    socket().end(1006);
    await vi.waitFor(() => expect(tokens).toHaveLength(3));
    expect(Socket.all).toHaveLength(2);
  });

  it('the network is back: tries at once', async () => {
    await settle();
    socket().end(1006);
    await settle();
    expect(status().status).toBe('waiting');
    connection.hurry();
    await settle();
    expect(Socket.all).toHaveLength(2);
  });
});
