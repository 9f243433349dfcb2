// One tab: its model, what it keeps, and its part in the sharing of the
// connection, as the tab that has it or as one that follows.
import { Account } from './account.ts';
import { Clock } from './clock.ts';
import { Emitter } from './emitter.ts';
import { Engine, type EngineHooks } from './engine.ts';
import { ChatError } from './errors.ts';
import { Http } from './http.ts';
import { Model } from './model.ts';
import { Outbox, type OutboxChange } from './outbox.ts';
import type { Message, MessageSendResult, User } from './protocol.ts';
import { Keeper, openStorage } from './storage.ts';
import { Sharing } from './sharing.ts';
import { ConversationTimeline } from './timeline.ts';
import { coalesce, defaults, type Timing } from './timing.ts';
import type { AccountSession, CallOptions, Change, ChatEvents, ChatOptions, ChatState, OutboxEntry } from './types.ts';

/** After these the data of the user goes, too. */
const WIPE = /^(logged_out|token_ended|device_removed|account_)/;

interface Deferred {
  resolve(result: MessageSendResult): void;
  reject(error: Error): void;
}

export class Core implements EngineHooks {
  readonly emitter = new Emitter<ChatEvents>();
  readonly clock = new Clock();
  readonly timing: Timing;
  readonly http: Http;
  readonly account: Account;
  readonly model: Model;
  readonly outbox: Outbox;
  keeper!: Keeper;
  state: ChatState = {
    status: 'stopped',
    transport: null,
    user: null,
    device: null,
    synced: false,
    retry_at: null,
    reason: null,
    storage: 'memory',
    leader: false,
    limits: null,
  };
  readonly sending = new Map<string, Deferred>();
  readonly touched = new Set<(channel: string | null) => void>();
  readonly engine: Engine;
  /** The inbox id up to which the model has everything. */
  cursor: number | null = null;
  /** Who is watched in this tab, by how many. */
  readonly watches = new Map<string, number>();
  readonly #timelines = new Set<ConversationTimeline>();
  /** Profiles that are asked for, one after the other. */
  readonly #asked = new Set<string>();
  #profiles: Promise<unknown> = Promise.resolve();
  #sharing: Sharing | null = null;
  #outboxList: readonly OutboxEntry[] | null = null;
  readonly #tellOutbox = coalesce(
    () => 0,
    () => this.emitter.emit('outbox', { entries: this.outboxEntries() }),
  );
  readonly flushSoon = coalesce(
    () => this.timing.flush,
    () => void this.flush(),
  );

  constructor(readonly options: ChatOptions) {
    this.timing = { ...defaults, ...options.timing };
    this.http = new Http(options);
    this.account = new Account(this.http, this.clock, options.token, (token) => this.#renewed(token));
    this.model = new Model(
      this.emitter,
      {
        me: () => this.state.user,
        keep: (change) => this.#keep(change),
        unknownChannel: (channel) => {
          if (this.state.leader) void this.engine.describe(channel);
        },
        touched: (channel) => this.touched.forEach((listener) => listener(channel)),
      },
      this.clock,
      this.timing,
    );
    this.outbox = new Outbox(
      {
        now: () => this.clock.now(),
        ready: () => this.state.leader && this.engine.connection.isOnline,
        send: (params) => this.engine.call('message.send', params),
        cursor: () => this.engine.sequence.cursor ?? 0,
        conversation: (entry) => this.conversation(entry),
        changed: (change) => this.outboxChanged(change, true),
      },
      this.timing,
    );
    this.engine = this.#makeEngine();
  }

  // --- life

  async start(): Promise<void> {
    if (this.state.status === 'signed_out') return this.again();
    if (this.state.status !== 'stopped') return;
    this.setState({ status: 'connecting', reason: null });
    const storage = await openStorage(this.options.name ?? 'chat', this.options.storage);
    this.keeper = new Keeper(storage, () => this.setState({ storage: 'memory' }));
    await this.#load();
    this.#sharing = new Sharing(this);
    await this.#sharing.start();
  }

  async stop(): Promise<void> {
    if (this.state.status === 'stopped') return;
    if (this.state.leader) {
      this.engine.stop();
      void this.flush();
    }
    const kept = this.keeper?.close();
    this.#sharing?.close();
    this.model.typing.clear();
    this.setState({ status: 'stopped', transport: null, synced: false, retry_at: null, leader: false });
    await kept;
  }

  /** The page is shown, or the network is back. */
  wake(shown: boolean): void {
    if (this.state.status === 'stopped') return;
    if (!this.state.leader) return this.#post('wake');
    this.engine.connection.hurry();
    if (shown && this.state.synced) this.engine.refresh(false).catch(() => {});
  }

  setState(change: Partial<ChatState>): void {
    this.state = { ...this.state, ...change };
    if (this.state.leader) this.#post('state', { state: this.state });
    this.emitter.emit('state', this.state);
  }

  flush(): Promise<void> {
    if (this.state.leader) {
      this.#meta('cursor', this.engine.sequence.cursor);
      this.#meta('clock', this.clock.known ? this.clock.offset : undefined);
    }
    return this.keeper.flush();
  }

  // --- login

  /** A login was made in this tab. */
  async signedIn(session: AccountSession): Promise<void> {
    this.adopt(session);
    this.#meta('session', session);
    await this.keeper.flush();
    this.#post('session', { session });
    if (this.state.leader) this.connect();
  }

  adopt(session: AccountSession): void {
    this.account.session = session;
    this.setUser(session.user);
    if (session.device && session.device !== this.state.device) {
      this.state = { ...this.state, device: session.device };
      this.#meta('device', session.device);
    }
  }

  /** In this tab, by the server, or in another tab. */
  async signedOut(reason: string, tell: boolean): Promise<void> {
    if (this.state.leader) this.engine.stop();
    this.account.forget();
    if (tell) this.#post('session', { session: null, reason });
    if (WIPE.test(reason)) await this.#wipe();
    else if (this.state.leader) {
      this.#meta('session', undefined);
      void this.keeper.flush();
    }
    this.setState({ status: 'signed_out', transport: null, synced: false, retry_at: null, reason });
  }

  // --- what the public class asks for

  call(method: string, params: any, options: CallOptions = {}): Promise<any> {
    if (this.state.status === 'stopped') return Promise.reject(new ChatError(0, 'stopped'));
    if (this.state.leader) return this.engine.call(method, params, options);
    return this.#sharing!.call(method, params, options);
  }

  notify(method: string, params: unknown): void {
    if (this.state.leader) this.engine.notify(method, params);
    else this.#post('notify', { method, params });
  }

  send(entry: OutboxEntry): void {
    if (this.state.leader) {
      this.outbox.add(entry);
      return;
    }
    this.outbox.follow({ client_id: entry.client_id, put: entry });
    this.outboxListChanged();
    // kept before it is told, so that what the other tab takes away stays away
    void this.keeper
      .flush()
      .then(() => this.#keepOutbox(entry.client_id, entry))
      .then(() => this.#post('enqueue', { entry }));
  }

  outboxDo(action: 'retry' | 'discard', client_id: string): void {
    if (this.state.leader) this.outbox[action](client_id);
    else this.#post('outbox.' + action, { client_id });
  }

  outboxEntries(): readonly OutboxEntry[] {
    return (this.#outboxList ??= this.outbox.list());
  }

  conversation(entry: { channel?: string; to?: string }): string {
    return entry.channel ?? this.model.channels.direct(entry.to!)?.channel ?? '@' + entry.to;
  }

  read(channel: string, message_id: number): void {
    const upTo = this.model.channels.read(channel, message_id);
    if (!upTo) return;
    this.#post('read', { channel, message_id: upTo });
    if (this.state.leader) {
      this.engine.read(channel, upTo);
      this.flushSoon();
    }
  }

  timeline(conversation: { channel?: string; to?: string }): ConversationTimeline {
    const timeline = new ConversationTimeline(this, conversation);
    this.#timelines.add(timeline);
    return timeline;
  }

  timelineClosed(timeline: ConversationTimeline): void {
    this.#timelines.delete(timeline);
    const { channel } = timeline;
    if (channel !== null && ![...this.#timelines].some((other) => other.channel === channel)) {
      this.model.messages.closed(channel);
    }
  }

  /** What is known; one that is missing or old is asked for, one at a time. */
  profile(user: string): User | undefined {
    const known = this.model.people.profiles.get(user);
    const old = !known || this.clock.now() - known.at > this.timing.profile;
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
    const added = users.filter((user) => !this.watches.has(user));
    for (const user of users) this.watches.set(user, (this.watches.get(user) ?? 0) + 1);
    this.#watchesChanged(added);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      for (const user of users) {
        const left = this.watches.get(user)! - 1;
        if (left) this.watches.set(user, left);
        else this.watches.delete(user);
      }
      if (!this.state.leader) this.#watchesChanged([]);
    };
  }

  // --- loading and keeping

  #keep(change: Change): void {
    if (this.state.leader) this.keeper.add(change);
  }

  #meta(name: string, value: unknown): void {
    const row = value === undefined || value === null ? undefined : { name, value };
    this.keeper.put('meta', name, row);
  }

  async #metaOf<T>(name: string): Promise<T | undefined> {
    return (await this.keeper.get<{ value: T }>('meta', name))?.value;
  }

  async #load(): Promise<void> {
    const [session, user, device, cursor, clock] = await Promise.all([
      this.#metaOf<AccountSession>('session'),
      this.#metaOf<string>('user'),
      this.#metaOf<string>('device'),
      this.#metaOf<number>('cursor'),
      this.#metaOf<number>('clock'),
    ]);
    if (!this.account.external) this.account.session = session ?? null;
    if (clock !== undefined) {
      this.clock.offset = clock;
      this.clock.known = true;
    }
    this.state = {
      ...this.state,
      storage: this.keeper.kind,
      user: user ?? null,
      device: this.options.device ?? device ?? 'web-' + Math.random().toString(36).slice(2, 12),
    };
    this.cursor = cursor ?? null;
    const [channels, contacts, profiles, outbox] = await Promise.all([
      this.keeper.all<any>('channels'),
      this.keeper.all<any>('contacts'),
      this.keeper.all<any>('users'),
      this.keeper.all<OutboxEntry>('outbox'),
    ]);
    this.outbox.restore(outbox);
    this.model.restore({ channels, contacts, profiles, presences: [] });
    this.outboxListChanged();
  }

  /** Only the device's name stays. */
  async #wipe(): Promise<void> {
    this.outbox.clear();
    this.model.clear();
    this.cursor = null;
    this.engine.sequence.cursor = null;
    await this.keeper.clear();
    this.#meta('device', this.state.device);
    await this.keeper.flush();
    this.state = { ...this.state, user: null };
    this.outboxListChanged();
    this.touched.forEach((listener) => listener(null));
  }

  /** Whatever is kept of another user goes. */
  setUser(user: string): void {
    const other = this.state.user !== null && this.state.user !== user;
    if (other) {
      const session = this.account.session;
      void this.#wipe();
      if (session) this.#meta('session', session);
      this.emitter.emit('reset', {});
    }
    if (this.state.user !== user) {
      this.state = { ...this.state, user };
      this.#meta('user', user);
      this.#meta('device', this.state.device);
    }
  }

  // --- leading

  #makeEngine(): Engine {
    const { options } = this;
    const given = options.WebSocket;
    const WebSocket = given === undefined ? ((globalThis.WebSocket as any) ?? null) : given;
    const transports = (options.transports ?? ['websocket', 'sse', 'longpoll']).filter((t) => t !== 'websocket' || WebSocket);
    return new Engine(
      { http: this.http, timing: this.timing, transports, WebSocket },
      this.account,
      this.clock,
      this.model,
      this.outbox,
      this,
    );
  }

  /** This tab has the connection from now on. */
  lead(): void {
    this.setState({ leader: true });
    this.outbox.restore(this.outbox.list());
    for (const entry of this.outbox.list()) void this.#keepOutbox(entry.client_id, entry);
    if (this.account.external || this.account.session) this.connect();
    else this.setState({ status: 'signed_out', transport: null, synced: false });
  }

  /** Another tab has it now. */
  follow(): void {
    this.engine.stop();
    this.state = { ...this.state, leader: false };
  }

  connect(): void {
    this.engine.stop();
    this.setState({ status: 'connecting', transport: null, reason: null });
    this.engine.start(this.cursor);
  }

  /** Another token may be had now. */
  again(): void {
    if (!this.state.leader) this.#post('again');
    else if (this.account.external) this.connect();
  }

  ended(reason: string): void {
    void this.signedOut(reason, true);
  }

  /** By any tab. */
  watched(): string[] {
    return [...new Set([...this.watches.keys(), ...(this.#sharing?.watched() ?? [])])];
  }

  deliver(method: string, params: any): void {
    if (params.inbox_id !== undefined && method !== 'session.ready') this.cursor = params.inbox_id;
    const own = method === 'message.new' && params.message.sender === this.state.user ? (params.message as Message) : null;
    if (own) this.#opened(own);
    this.#post('event', { method, params });
    this.happened(method, params);
    if (!own) return;
    const { client_id, channel, message_id, sent_at } = own;
    this.outbox.told(client_id, { channel, message_id, sent_at, inbox_id: params.inbox_id });
  }

  /** The first message to somebody opens a channel, which is no event of its own. */
  #opened({ client_id, channel, message_id, sent_at }: Message): void {
    const to = this.outbox.get(client_id)?.to;
    if (to === undefined || this.model.channels.get(channel)) return;
    const members = [...new Set([this.state.user!, to])].map((user) => ({ user, role: 'member' }));
    this.applied('channel.get', {}, { channel: { channel, kind: 'direct', created_at: sent_at, members } });
    if (message_id > 1) void this.engine.describe(channel);
  }

  /** An event, in this tab. */
  happened(method: string, params: any): void {
    this.model.apply(method, params);
    this.emitter.emit(method as keyof ChatEvents, params);
  }

  applied(method: string, params: any, result: any): void {
    this.#post('applied', { method, params, result });
    this.model.applyResult(method, params, result);
  }

  /** The server's store is another one. */
  reset(): void {
    this.cursor = null;
    void this.keeper.clear();
    for (const name of ['user', 'device'] as const) this.#meta(name, this.state[name]);
    this.#meta('session', this.account.session);
    for (const entry of this.outbox.list()) this.#keepOutbox(entry.client_id, entry);
    this.#post('reset');
    this.forget();
  }

  forget(): void {
    this.model.clear();
    this.emitter.emit('reset', {});
    this.touched.forEach((listener) => listener(null));
  }

  #renewed(token: string): void {
    if (this.account.session) {
      this.#meta('session', this.account.session);
      this.flushSoon();
      this.#post('session', { session: this.account.session, renewed: true });
    }
    this.engine.renewed(token);
  }

  #watchesChanged(added: string[]): void {
    if (!this.state.leader) this.#post('watch', { users: [...this.watches.keys()] });
    else if (added.length && this.engine.connection.isOnline) void this.engine.watch(added);
  }

  #post(type: string, more: object = {}): void {
    this.#sharing?.post(type, more);
  }

  // --- outbox

  #keepOutbox(client_id: string, entry: OutboxEntry | undefined): Promise<void> {
    this.keeper.put('outbox', client_id, entry);
    return this.keeper.flush();
  }

  outboxChanged(change: OutboxChange, own: boolean): void {
    const { client_id, put, result, error } = change;
    if (own) {
      void this.#keepOutbox(client_id, put);
      this.#post('outbox', { change });
    }
    const deferred = this.sending.get(client_id);
    if (deferred && (result || error)) {
      this.sending.delete(client_id);
      if (result) deferred.resolve(result);
      else deferred.reject(new ChatError(error!.code, error!.reason, error!.message));
    }
    this.outboxListChanged();
  }

  outboxListChanged(): void {
    this.#outboxList = null;
    this.#tellOutbox();
    this.touched.forEach((listener) => listener(null));
  }
}
