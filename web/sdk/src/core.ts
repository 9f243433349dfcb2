// One tab: what it knows and keeps, and its part in the sharing of the
// connection, as the tab that has it or as one that follows.
import { Account } from './account.ts';
import { Clock } from './clock.ts';
import { Emitter } from './emitter.ts';
import { Engine, type EngineHooks } from './engine.ts';
import { ChatError } from './errors.ts';
import { Http } from './http.ts';
import { Model, type ModelHooks } from './model.ts';
import { Outbox, type OutboxChange, type OutboxHooks } from './outbox.ts';
import type { Message, MessageSendParams, MessageSendResult, User } from './protocol.ts';
import { Sharing } from './sharing.ts';
import { Keeper } from './storage.ts';
import { ConversationTimeline } from './timeline.ts';
import { coalesce, defaults, type Timing } from './timing.ts';
import type { AccountSession, CallOptions, Change, ChatEvents, ChatOptions, ChatState, OutboxEntry } from './types.ts';

/** After these the data of the user goes, too. */
const WIPE = /^(logged_out|token_ended|device_removed|account_)/;

const DOWN = { transport: null, synced: false, retry_at: null } as const;

interface Deferred {
  resolve(result: MessageSendResult): void;
  reject(error: Error): void;
}

/** The one row of the store `meta`. */
interface Meta {
  session: AccountSession | null;
  user: string | null;
  device: string | null;
  cursor: number | null;
  clock: number | null;
}

export class Core implements EngineHooks, ModelHooks, OutboxHooks {
  readonly emitter = new Emitter<ChatEvents>();
  readonly clock = new Clock();
  readonly timing: Timing;
  readonly http: Http;
  readonly account: Account;
  readonly model: Model;
  readonly outbox: Outbox;
  readonly engine: Engine;
  readonly keeper = new Keeper(() => this.setState({ storage: 'memory' }));
  readonly sharing: Sharing;
  state: ChatState = {
    ...DOWN,
    status: 'stopped',
    user: null,
    device: null,
    reason: null,
    storage: 'memory',
    leader: false,
    limits: null,
  };
  /** The inbox id up to which the model has everything. */
  cursor: number | null = null;
  /** Who is watched in this tab, by how many. */
  readonly watches = new Map<string, number>();
  /** Who waits for what he sent. */
  readonly sending = new Map<string, Deferred>();
  readonly timelines = new Set<ConversationTimeline>();
  /** Profiles that are asked for, one after the other. */
  readonly #asked = new Set<string>();
  #profiles: Promise<unknown> = Promise.resolve();
  #outboxList: readonly OutboxEntry[] | null = null;
  readonly #tellOutbox = coalesce(
    () => 0,
    () => this.emitter.emit('outbox', { entries: this.entries() }),
  );

  constructor(readonly options: ChatOptions) {
    this.timing = { ...defaults, ...options.timing };
    this.http = new Http(options);
    this.account = new Account(this.http, this.clock, options.token, (token) => this.#renewed(token));
    this.model = new Model(this);
    this.outbox = new Outbox(this);
    const { WebSocket = (globalThis.WebSocket as any) ?? null, transports = ['websocket', 'sse', 'longpoll'] } = options;
    const usable = transports.filter((name) => WebSocket || name !== 'websocket');
    this.engine = new Engine({ http: this.http, timing: this.timing, transports: usable, WebSocket }, this);
    this.sharing = new Sharing(this);
  }

  // --- life

  async start(): Promise<void> {
    if (this.state.status === 'signed_out') return this.again();
    if (this.state.status !== 'stopped') return;
    this.setState({ status: 'connecting', reason: null });
    await this.keeper.open(this.options);
    await this.#load();
    await this.sharing.start();
  }

  async stop(): Promise<void> {
    if (this.state.status === 'stopped') return;
    if (this.state.leader) this.engine.stop();
    this.hide();
    const kept = this.keeper.close();
    this.sharing.close();
    this.model.typing.clear();
    this.setState({ ...DOWN, status: 'stopped', leader: false });
    await kept;
  }

  setState(change: Partial<ChatState>): void {
    this.state = { ...this.state, ...change };
    if (this.state.leader) this.sharing.post('state', { state: this.state });
    this.emitter.emit('state', this.state);
  }

  /** The page is shown, or the network is back. */
  wake(shown: boolean): void {
    if (!this.#leads('wake', shown) || this.state.status === 'stopped') return;
    this.engine.connection.hurry();
    if (shown && this.state.synced) void this.engine.shown();
  }

  /** The page may be gone in a moment. */
  hide(): void {
    if (this.state.leader) void this.flush();
  }

  /** Another token may be had now. */
  again(): void {
    if (this.#leads('again') && this.account.external) this.connect();
  }

  /** This tab has the connection from now on. */
  lead(): void {
    this.setState({ leader: true });
    this.outbox.restore(this.entries());
    for (const entry of this.entries()) this.#keepOutbox(entry.client_id, entry);
    if (this.account.external || this.account.session) this.connect();
    else this.setState({ ...DOWN, status: 'signed_out' });
  }

  /** Another tab has it now. */
  follow(): void {
    this.engine.stop();
    this.state = { ...this.state, leader: false };
  }

  connect(): void {
    this.engine.stop();
    this.setState({ ...DOWN, status: 'connecting', reason: null });
    this.engine.start(this.cursor);
  }

  // --- login

  /** A login was made in this tab. */
  async signedIn(session: AccountSession): Promise<void> {
    this.adopt(session);
    await this.flush();
    this.sharing.post('session', { session });
    if (this.state.leader) this.connect();
  }

  adopt(session: AccountSession): void {
    this.account.session = session;
    this.setUser(session.user);
    this.state = { ...this.state, device: session.device };
  }

  /** In this tab, by the server, or in another tab. */
  async signedOut(reason: string, tell: boolean): Promise<void> {
    if (this.state.leader) this.engine.stop();
    this.account.forget();
    if (tell) this.sharing.post('session', { session: null, reason });
    if (WIPE.test(reason)) await this.#wipe(null);
    else void this.flush();
    this.setState({ ...DOWN, status: 'signed_out', reason });
  }

  ended(reason: string): void {
    void this.signedOut(reason, true);
  }

  /** Whatever is kept of another user goes. */
  setUser(user: string): void {
    if (this.state.user === user) return;
    if (this.state.user !== null) {
      void this.#wipe(user);
      this.emitter.emit('reset', {});
    }
    this.state = { ...this.state, user };
  }

  #renewed(token: string): void {
    void this.flush();
    if (this.account.session) this.sharing.post('session', { session: this.account.session, renewed: true });
    this.engine.renewed(token);
  }

  // --- what is done with it

  call(method: string, params: any, options: CallOptions = {}): Promise<any> {
    if (this.state.status === 'stopped') return Promise.reject(new ChatError(0, 'stopped'));
    return this.state.leader ? this.engine.call(method, params, options) : this.sharing.call(method, params, options);
  }

  notify(method: string, params: unknown): void {
    if (this.#leads('notify', method, params)) this.engine.notify(method, params);
  }

  send(entry: OutboxEntry): void {
    if (this.state.leader) return this.outbox.add(entry);
    this.outbox.follow({ client_id: entry.client_id, put: entry });
    this.outboxListChanged();
    // kept before it is told, so that what the other tab takes away stays away
    void this.#keepOutbox(entry.client_id, entry).then(() => this.#leads('send', entry));
  }

  retry(client_id: string): void {
    if (this.#leads('retry', client_id)) this.outbox.retry(client_id);
  }

  discard(client_id: string): void {
    if (this.#leads('discard', client_id)) this.outbox.discard(client_id);
  }

  read(channel: string, message_id: number): void {
    const upTo = this.model.channels.read(channel, message_id);
    if (!upTo || !this.#leads('read', channel, upTo)) return;
    this.sharing.post('read', { channel, message_id: upTo });
    this.engine.read(channel, upTo);
  }

  /** What is known; one that is missing or old is asked for, one at a time. */
  profile(user: string): User | undefined {
    const known = this.model.people.profiles.get(user);
    const old = !known || this.now() - known.at > this.timing.profile;
    if (old && this.state.status === 'online' && !this.#asked.has(user)) {
      this.#asked.add(user);
      this.#profiles = this.#profiles
        .then(() => this.call('user.get', { user }))
        .catch(() => {})
        .finally(() => this.#asked.delete(user));
    }
    return known?.profile ?? undefined;
  }

  watch(users: readonly string[]): () => void {
    const count = (step: number) => {
      for (const user of users) {
        const left = (this.watches.get(user) ?? 0) + step;
        if (left > 0) this.watches.set(user, left);
        else this.watches.delete(user);
      }
      if (!this.state.leader) this.sharing.post('watch', { users: [...this.watches.keys()] });
    };
    const added = users.filter((user) => !this.watches.has(user));
    count(1);
    if (this.state.leader && added.length && this.engine.connection.isOnline) void this.engine.watch(added);
    let end: (() => void) | null = () => count(-1);
    return () => {
      end?.();
      end = null;
    };
  }

  /** By any tab. */
  watched(): string[] {
    return [...new Set([...this.watches.keys(), ...this.sharing.watched()])];
  }

  /** Whether it is for this tab to do; else the one that leads is told. */
  #leads(method: string, ...args: unknown[]): boolean {
    if (!this.state.leader) this.sharing.post('do', { method, args });
    return this.state.leader;
  }

  // --- events

  deliver(method: string, params: any): void {
    if (params.inbox_id !== undefined && method !== 'session.ready') this.cursor = params.inbox_id;
    const own = method === 'message.new' && params.message.sender === this.state.user ? (params.message as Message) : null;
    if (own) this.#opened(own);
    this.sharing.post('event', { method, params });
    this.happened(method, params);
    if (!own) return;
    const { client_id, channel, message_id, sent_at } = own;
    this.outbox.told(client_id, { channel, message_id, sent_at, inbox_id: params.inbox_id });
  }

  /** An event, in this tab. */
  happened(method: string, params: any): void {
    this.model.apply(method, params);
    this.emitter.emit(method as keyof ChatEvents, params);
  }

  applied(method: string, params: any, result: any): void {
    this.sharing.post('applied', { method, params, result });
    this.model.applyResult(method, params, result);
  }

  /** The server's store is another one. */
  reset(): void {
    this.cursor = null;
    void this.keeper.clear();
    for (const entry of this.entries()) this.#keepOutbox(entry.client_id, entry);
    void this.flush();
    this.sharing.post('reset');
    this.forget();
  }

  forget(): void {
    this.model.clear();
    this.emitter.emit('reset', {});
  }

  /** The first message to somebody opens a channel, which is no event of its own. */
  #opened({ client_id, channel, message_id, sent_at }: Message): void {
    const to = this.outbox.get(client_id)?.to;
    if (to === undefined || this.model.channels.get(channel)) return;
    const members = [...new Set([this.state.user!, to])].map((user) => ({ user, role: 'member' }));
    this.applied('channel.get', {}, { channel: { channel, kind: 'direct', created_at: sent_at, members } });
    if (message_id > 1) void this.engine.describe(channel);
  }

  // --- what the model asks and tells

  me(): string | null {
    return this.state.user;
  }

  now(): number {
    return this.clock.now();
  }

  keep(change: Change): void {
    if (this.state.leader) this.keeper.add(change);
  }

  unknownChannel(channel: string): void {
    if (this.state.leader) void this.engine.describe(channel);
  }

  /** A channel has changed, or the outbox: null. */
  touch(channel: string | null): void {
    for (const timeline of this.timelines) timeline.touched(channel);
  }

  // --- what the outbox asks and tells

  canSend(): boolean {
    return this.state.leader && this.engine.connection.isOnline;
  }

  transmit(params: MessageSendParams): Promise<MessageSendResult> {
    return this.engine.call('message.send', params, { timeout: Infinity, connected: true });
  }

  conversation(entry: { channel?: string; to?: string }): string {
    return entry.channel ?? this.model.channels.direct(entry.to!)?.channel ?? '@' + entry.to;
  }

  entries(): readonly OutboxEntry[] {
    return (this.#outboxList ??= this.outbox.list());
  }

  outboxChanged(change: OutboxChange): void {
    const { client_id, put } = change;
    if (put) void this.#keepOutbox(client_id, put);
    else {
      // in one transaction with the message it became
      this.keeper.put('outbox', client_id, put);
      void this.flush();
    }
    this.sharing.post('outbox', { change });
    this.outboxTold(change);
  }

  outboxTold({ client_id, result, error }: OutboxChange): void {
    const deferred = this.sending.get(client_id);
    if (result) deferred?.resolve(result);
    else if (error) deferred?.reject(new ChatError(error.code, error.reason, error.message));
    if (result || error) this.sending.delete(client_id);
    this.outboxListChanged();
  }

  outboxListChanged(): void {
    this.#outboxList = null;
    this.#tellOutbox();
    this.touch(null);
  }

  #keepOutbox(client_id: string, entry: OutboxEntry | undefined): Promise<void> {
    return this.keeper.now('outbox', client_id, entry);
  }

  // --- keeping

  flush(): Promise<void> {
    const { user, device } = this.state;
    const clock = this.clock.known ? this.clock.offset : null;
    const meta: Meta = { session: this.account.session, user, device, cursor: this.cursor, clock };
    this.keeper.put('meta', 'meta', meta);
    return this.keeper.flush();
  }

  async #load(): Promise<void> {
    const { keeper, options } = this;
    const [[meta], channels, contacts, profiles, outbox] = await Promise.all([
      keeper.all<Meta>('meta'),
      keeper.all<any>('channels'),
      keeper.all<any>('contacts'),
      keeper.all<any>('users'),
      keeper.all<OutboxEntry>('outbox'),
    ]);
    if (!this.account.external) this.account.session = meta?.session ?? null;
    if (typeof meta?.clock === 'number') this.clock.restore(meta.clock);
    this.cursor = meta?.cursor ?? null;
    this.state = {
      ...this.state,
      storage: keeper.kind,
      user: meta?.user ?? null,
      device: options.device ?? meta?.device ?? 'web-' + Math.random().toString(36).slice(2, 12),
    };
    this.outbox.restore(outbox);
    this.model.restore({ channels, contacts, profiles, presences: [] });
    this.outboxListChanged();
  }

  /** All but the name of the device. */
  async #wipe(user: string | null): Promise<void> {
    this.outbox.clear();
    this.model.clear();
    this.cursor = this.engine.sequence.cursor = null;
    this.state = { ...this.state, user };
    void this.keeper.clear();
    this.outboxListChanged();
    // after the clear
    await this.flush();
  }
}
