// chat.v1 over a WebSocket.
import { ChatError } from './errors.ts';
import { rpcError } from './http.ts';
import type { Closed, Transport, TransportHost } from './transport.ts';
import type { WebSocketLike } from './types.ts';

interface Waiting {
  resolve(result: any): void;
  reject(error: Error): void;
  arrived: ((result: any) => void) | undefined;
}

export class WebSocketTransport implements Transport {
  readonly name = 'websocket';
  readonly #socket: WebSocketLike;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #ended = false;
  #heard = false;
  #beat = 0;
  #pulse: ReturnType<typeof setTimeout> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #wait: number | undefined;

  constructor(private readonly host: TransportHost) {
    const { http, after, device, token, timing } = host;
    this.#deadline = setTimeout(() => this.#end({ code: 0, reason: 'timeout' }), timing.connect);
    this.#socket = new host.WebSocket!(http.url('ws', '', { after, device }), ['chat.v1', 'bearer.' + token]);
    this.#socket.onmessage = (event) => this.#receive(String(event.data));
    this.#socket.onclose = (event) => this.#end({ code: event.code ?? 0, reason: event.reason || 'cut', wait: this.#wait });
    this.#socket.onerror = () => {};
  }

  request(method: string, params: unknown, arrived?: (result: any) => void): Promise<any> {
    return new Promise((resolve, reject) => {
      if (this.#ended || this.#socket.readyState !== 1) return reject(new ChatError(0, 'offline'));
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject, arrived });
      this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  notify(method: string, params: unknown): void {
    if (!this.#ended && this.#socket.readyState === 1) {
      this.#socket.send(JSON.stringify({ jsonrpc: '2.0', method, params }));
    }
  }

  async renew(token: string): Promise<boolean> {
    await this.request('session.renew', { token });
    return true;
  }

  check(): void {
    if (this.#deadline || this.#ended) return;
    this.#deadline = setTimeout(() => this.#end({ code: 0, reason: 'silent' }), this.host.timing.pong);
    this.request('ping', {}).catch(() => {});
  }

  close(): void {
    this.#finish();
    this.#socket.close(1000);
  }

  #receive(data: string): void {
    if (this.#ended) return;
    let message: any;
    try {
      message = JSON.parse(data);
    } catch {
      return this.#end({ code: 0, reason: 'not_json' });
    }
    this.#heard = true;
    if (this.#beat || message.method === 'session.ready') {
      clearTimeout(this.#deadline);
      this.#deadline = undefined;
    }
    if (message.method) this.#notification(message.method, message.params);
    else this.#answer(message);
  }

  #notification(method: string, params: any): void {
    if (method === 'session.ready') {
      this.#beat = params.heartbeat * 1000;
      this.#tick();
      this.host.ready(params);
    } else {
      if (method === 'session.closing') this.#wait = params.reconnect_after;
      this.host.event(method, params);
    }
  }

  #answer(message: any): void {
    const call = this.#waiting.get(message.id);
    if (!call) return;
    this.#waiting.delete(message.id);
    if (message.error) return call.reject(rpcError(message.error));
    call.arrived?.(message.result);
    call.resolve(message.result);
  }

  /** A browser does not show the server's pings: silence is broken by one of our own. */
  #tick(): void {
    this.#pulse = setTimeout(() => {
      if (!this.#heard) this.check();
      this.#heard = false;
      this.#tick();
    }, this.#beat);
  }

  #end(info: Closed): void {
    if (this.#ended) return;
    this.#finish();
    // a dead link would keep us waiting for the answer to the close
    if (this.#socket.readyState < 2) this.#socket.close();
    this.host.closed(info);
  }

  #finish(): void {
    this.#ended = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#pulse);
    for (const call of this.#waiting.values()) call.reject(new ChatError(0, 'offline'));
    this.#waiting.clear();
  }
}
