// Keeps one connection up: picks the transport, renews the token, backs off,
// comes back.  It knows nothing of what is said over it.
import { asChatError, ChatError } from './errors.ts';
import type { Http } from './http.ts';
import type { InboxId, SessionReadyEvent } from './protocol.ts';
import { backoff, LONGEST_TIMER, type Timing } from './timing.ts';
import type { Closed, OpenTransport, Transport, TransportHost } from './transport.ts';
import { WebSocketTransport } from './transport_websocket.ts';
import type { ChatState, TokenReason, TransportName, WebSocketClass } from './types.ts';

export interface ConnectionHooks {
  /** Where the stream goes on; null: live only. */
  cursor(): InboxId | null;
  device(): string | null;
  /** Throws a ChatError 401 when there is none to be had. */
  token(reason: TokenReason): Promise<string>;
  ready(params: SessionReadyEvent): void;
  event(method: string, params: any): void;
  changed(change: Partial<ChatState>): void;
  /** The login is over. */
  ended(reason: string): void;
  /** The server knows less than our cursor: it is to be null when this returns. */
  ahead(): void;
}

export interface ConnectionSetup {
  http: Http;
  timing: Timing;
  transports: TransportName[];
  WebSocket: WebSocketClass | null;
}

/** What only few need is loaded when they do: it can be, HTTP works for them. */
const OPEN: Record<TransportName, () => Promise<OpenTransport>> = {
  websocket: async () => (host) => new WebSocketTransport(host),
  sse: async () => (await import('./transport_http.ts')).sse,
  longpoll: async () => (await import('./transport_http.ts')).longpoll,
};

/** Close reasons of 1008 that end a token or a device. */
const ENDED = /^(token_|device_removed|account_)/;

/** So many attempts have to fail while HTTP works before the next transport gets its turn. */
const TRIES = 2;

export class Connection {
  #transport: Transport | null = null;
  #candidate: Transport | null = null;
  #online = false;
  #running = false;
  #index = 0;
  #failures = 0;
  #blocked = 0;
  #upgrades = 0;
  /** Why the server refused the token of the last attempt. */
  #refused: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #upgradeTimer: ReturnType<typeof setTimeout> | undefined;
  #stableTimer: ReturnType<typeof setTimeout> | undefined;
  #waiters: (() => void)[] = [];

  constructor(
    private readonly setup: ConnectionSetup,
    private readonly hooks: ConnectionHooks,
  ) {}

  get isOnline(): boolean {
    return this.#online;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#failures = this.#index = this.#blocked = 0;
    this.#refused = null;
    void this.#attempt();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#drop();
    this.#wake();
  }

  /** Something changed for the better, say the network: tries at once. */
  hurry(): void {
    if (!this.#running) return;
    if (this.#online) return this.#transport?.check();
    if (this.#transport === null) {
      this.#failures = this.#index = 0;
      void this.#attempt();
    }
  }

  /** Ends the connection and opens it anew. */
  reconnect(): void {
    if (!this.#running) return;
    this.#drop();
    void this.#attempt();
  }

  /** Resolves when online, or stopped, or after `ms`. */
  whenOnline(ms: number): Promise<void> {
    if (this.#online || !this.#running) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, LONGEST_TIMER));
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** One try over the connection that stands. */
  request(method: string, params: unknown, arrived?: (result: any) => void): Promise<any> {
    if (!this.#online || !this.#transport) return Promise.reject(new ChatError(0, 'offline'));
    return this.#transport.request(method, params, arrived);
  }

  notify(method: string, params: unknown): void {
    if (this.#online) this.#transport?.notify(method, params);
  }

  /** There is a newer token. */
  async renewed(token: string): Promise<void> {
    const transport = this.#transport;
    if (!this.#online || !transport) return;
    const goesOn = await transport.renew(token).catch(() => false);
    if (!goesOn && this.#transport === transport) this.reconnect();
  }

  // --- attempts

  async #attempt(): Promise<void> {
    clearTimeout(this.#timer);
    this.#drop();
    this.hooks.changed({ status: 'connecting', transport: null, retry_at: null });
    const reserved = (this.#timer = setTimeout(() => {}, 0));
    let token: string;
    let open: OpenTransport;
    try {
      open = await OPEN[this.setup.transports[this.#index]!]();
      token = await this.hooks.token(this.#refused === null ? 'first' : 'refused');
    } catch (error) {
      if (!this.#running || reserved !== this.#timer) return;
      const { code, reason } = asChatError(error);
      return code === 401 ? this.#ended(this.#refused ?? reason) : this.#wait(undefined, reason);
    }
    if (!this.#running || reserved !== this.#timer) return;
    try {
      this.#open(open, token, (transport, info) => {
        if (this.#transport === transport) void this.#lost(info, token);
      });
    } catch {
      // a policy of the page, say, forbids it
      void this.#lost({ code: 0, reason: 'blocked' }, token);
    }
  }

  #open(open: OpenTransport, token: string, closed: (transport: Transport, info: Closed) => void): void {
    let transport: Transport;
    const host: TransportHost = {
      http: this.setup.http,
      timing: this.setup.timing,
      WebSocket: this.setup.WebSocket,
      token,
      device: this.hooks.device(),
      after: this.hooks.cursor(),
      ready: (params) => {
        if (transport === this.#candidate) this.#upgraded(transport);
        if (transport === this.#transport) this.#up(transport, params);
      },
      event: (method, params) => {
        if (transport === this.#transport) this.hooks.event(method, params);
      },
      closed: (info) => closed(transport, info),
    };
    transport = open(host);
    if (this.#transport === null) this.#transport = transport;
    else this.#candidate = transport;
  }

  #up(transport: Transport, params: SessionReadyEvent): void {
    this.#online = true;
    this.#refused = null;
    this.#blocked = 0;
    this.#stableTimer = setTimeout(() => (this.#failures = 0), this.setup.timing.stable_after);
    this.#planUpgrade();
    this.hooks.changed({
      status: 'online',
      transport: transport.name,
      user: params.user,
      device: params.device,
      retry_at: null,
      reason: null,
      ...(params.limits && { limits: params.limits }),
    });
    this.hooks.ready(params);
    this.#wake();
  }

  #drop(): void {
    clearTimeout(this.#upgradeTimer);
    clearTimeout(this.#stableTimer);
    const [transport, candidate] = [this.#transport, this.#candidate];
    this.#transport = this.#candidate = null;
    this.#online = false;
    transport?.close();
    candidate?.close();
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  // --- what went wrong

  async #lost(info: Closed, token: string): Promise<void> {
    const wasOnline = this.#online;
    this.#drop();
    if (info.code === 409) {
      this.hooks.ahead();
      return this.#again();
    }
    if (info.code === 401 || (info.code === 1008 && ENDED.test(info.reason))) return this.#tokenRefused(info.reason);
    if (info.code === 1008 || info.code === 1013) return this.#wait(info.wait, info.reason);
    if (wasOnline || info.wait !== undefined) return this.#wait(info.wait, info.reason, wasOnline);
    return this.#diagnose(info, token);
  }

  #tokenRefused(reason: string): void {
    if (this.#refused !== null) return this.#ended(reason);
    this.#refused = reason;
    this.#again();
  }

  #ended(reason: string): void {
    this.stop();
    this.hooks.ended(reason);
  }

  /** The transport never got through, and a browser does not say why: plain HTTP tells. */
  async #diagnose(info: Closed, token: string): Promise<void> {
    this.hooks.changed({ status: 'connecting', transport: null });
    const reserved = (this.#timer = setTimeout(() => {}, 0));
    try {
      await this.setup.http.rpc(token, this.hooks.device(), 'ping', {}, AbortSignal.timeout(this.setup.timing.connect));
    } catch (error) {
      if (!this.#running || reserved !== this.#timer) return;
      const { code, reason, retry_after } = asChatError(error);
      if (code === 401) return this.#tokenRefused(reason);
      return this.#wait(retry_after && retry_after * 1000, reason);
    }
    if (!this.#running || reserved !== this.#timer) return;
    if (++this.#blocked >= TRIES) {
      this.#blocked = 0;
      this.#index = (this.#index + 1) % this.setup.transports.length;
      if (this.#index) return this.#again();
    }
    this.#wait(undefined, info.reason);
  }

  #again(): void {
    if (this.#running) void this.#attempt();
  }

  /** `first`: a connection that stood was cut, so the first attempt may follow at once, spread by chance. */
  #wait(ms: number | undefined, reason: string, first = false): void {
    if (!this.#running) return;
    const { timing } = this.setup;
    const step = backoff(this.#failures, timing);
    // a given time is the least: all the others were given it, too
    const delay = ms === undefined ? (first && !this.#failures ? Math.random() * step : step) : ms + Math.random() * timing.backoff_min;
    this.#failures++;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#attempt(), delay);
    this.hooks.changed({ status: 'waiting', transport: null, retry_at: Date.now() + delay, reason });
  }

  // --- back to a better transport

  #planUpgrade(): void {
    clearTimeout(this.#upgradeTimer);
    if (this.#index === 0) return void (this.#upgrades = 0);
    const delay = this.setup.timing.upgrade * Math.min(10, 2 ** this.#upgrades++);
    this.#upgradeTimer = setTimeout(() => this.#upgrade().catch(() => this.#planUpgrade()), delay);
  }

  async #upgrade(): Promise<void> {
    const transport = this.#transport;
    const open = await OPEN[this.setup.transports[0]!]();
    const token = await this.hooks.token('first');
    if (!this.#online || this.#transport !== transport) return;
    this.#open(open, token, (candidate, info) => {
      if (this.#candidate === candidate) {
        this.#candidate = null;
        this.#planUpgrade();
      } else if (this.#transport === candidate) {
        void this.#lost(info, token);
      }
    });
  }

  #upgraded(transport: Transport): void {
    const old = this.#transport;
    this.#transport = transport;
    this.#candidate = null;
    this.#index = 0;
    clearTimeout(this.#stableTimer);
    old?.close();
  }
}
