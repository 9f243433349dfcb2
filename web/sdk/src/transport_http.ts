// Where WebSocket is blocked: calls by POST, events by a stream of server-sent
// events or by long polling.
import { asChatError, ChatError } from './errors.ts';
import type { InboxSyncResult, PingResult } from './protocol.ts';
import { claims } from './token.ts';
import type { Closed, OpenTransport, Transport, TransportHost } from './transport.ts';

const HEARTBEATS = 3;

abstract class HttpTransport implements Transport {
  abstract readonly name: 'sse' | 'longpoll';
  protected readonly abort = new AbortController();
  protected token: string;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(protected readonly host: TransportHost) {
    this.token = host.token;
    this.within(host.timing.connect, 'timeout');
  }

  async request<T = any>(method: string, params: unknown, arrived?: (result: any) => void): Promise<T> {
    const { http, device } = this.host;
    try {
      const result = await http.rpc<T>(this.token, device, method, params, this.abort.signal);
      arrived?.(result);
      return result;
    } catch (error) {
      const problem = asChatError(error);
      if (problem.code !== 401) throw problem;
      this.end({ code: 401, reason: problem.reason });
      throw new ChatError(0, 'offline', problem.message);
    }
  }

  notify(method: string, params: unknown): void {
    this.request(method, params).catch(() => {});
  }

  async renew(token: string): Promise<boolean> {
    this.token = token;
    return this.name === 'longpoll';
  }

  check(): void {
    const signal = AbortSignal.timeout(this.host.timing.pong);
    this.host.http.rpc(this.token, this.host.device, 'ping', {}, signal).catch((error) => {
      if (asChatError(error).code === 0) this.end({ code: 0, reason: 'silent' });
    });
  }

  close(): void {
    clearTimeout(this.#deadline);
    this.abort.abort();
  }

  /** Ends it unless it is called again in time. */
  protected within(ms: number, reason: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.end({ code: 0, reason }), ms);
  }

  protected fail(error: unknown): void {
    const { code, reason, retry_after } = asChatError(error);
    this.end({ code, reason, wait: retry_after && retry_after * 1000 });
  }

  protected end(info: Closed): void {
    if (this.abort.signal.aborted) return;
    this.close();
    this.host.closed(info);
  }
}

class SseTransport extends HttpTransport {
  readonly name = 'sse';
  #wait: number | undefined;
  #silence = 0;

  constructor(host: TransportHost) {
    super(host);
    this.#run().catch((error) => this.fail(error));
  }

  async #run(): Promise<void> {
    const { http, after, device } = this.host;
    const response = await http.fetch('GET', http.url('api', '/events', { after, device }), {
      token: this.token,
      headers: { Accept: 'text/event-stream' },
      signal: this.abort.signal,
    });
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.abort.signal.aborted) break;
      if (this.#silence) this.within(this.#silence, 'silent');
      const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) this.#block(block);
    }
    this.end({ code: 0, reason: 'cut', wait: this.#wait });
  }

  #block(block: string): void {
    let method = '';
    let data = '';
    for (const line of block.split('\n')) {
      if (line.startsWith('event: ')) method = line.slice(7);
      if (line.startsWith('data: ')) data += line.slice(6);
    }
    if (!method || this.abort.signal.aborted) return;
    const params = JSON.parse(data);
    if (method === 'session.ready') {
      this.#silence = params.heartbeat * 1000 * HEARTBEATS;
      this.within(this.#silence, 'silent');
      return this.host.ready(params);
    }
    if (method === 'session.closing') this.#wait = params.reconnect_after;
    this.host.event(method, params);
  }
}

class LongPollTransport extends HttpTransport {
  readonly name = 'longpoll';

  constructor(host: TransportHost) {
    super(host);
    this.#run().catch((error) => this.fail(error));
  }

  async #run(): Promise<void> {
    const { http, device, timing } = this.host;
    let after = this.host.after ?? 0;
    const { server_time } = await this.request<PingResult>('ping', {});
    const first = await this.request<InboxSyncResult>('inbox.sync', { after, limit: 1 });
    // without a cursor: live only
    if (this.host.after === null) after = first.inbox_id;
    const { sub, dev } = claims(this.token);
    this.host.ready({
      user: sub ?? '',
      device: dev ?? device ?? '',
      session: '',
      inbox_id: first.inbox_id,
      server_time,
      heartbeat: timing.poll,
      limits: null as never,
    });
    while (!this.abort.signal.aborted) {
      this.within((timing.poll + HEARTBEATS * 5) * 1000, 'silent');
      const url = http.url('api', '/inbox', { after, limit: 1000, wait: timing.poll });
      const page = await http.json<InboxSyncResult>('GET', url, { token: this.token, signal: this.abort.signal });
      for (const event of page.events) {
        if (this.abort.signal.aborted) return;
        after = event.params.inbox_id;
        this.host.event(event.method, event.params);
      }
    }
  }
}

export const sse: OpenTransport = (host) => new SseTransport(host);

export const longpoll: OpenTransport = (host) => new LongPollTransport(host);
