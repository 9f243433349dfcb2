import { clientId } from './client_id.ts';
import { Core } from './core.ts';
import type * as protocol from './protocol.ts';
import { ConversationTimeline } from './timeline.ts';
import type {
  AccountSession,
  CallOptions,
  ChannelState,
  ChatEvents,
  ChatOptions,
  ChatState,
  Draft,
  LoginParams,
  Mark,
  OutboxEntry,
  Sending,
  SignupParams,
  Timeline,
} from './types.ts';

type Methods = protocol.Methods;

/** One user's chat. */
export class Chat {
  readonly #core: Core;

  constructor(options: ChatOptions = {}) {
    this.#core = new Core(options);
  }

  get state(): ChatState {
    return this.#core.state;
  }

  /** Gives back how to end it. */
  on<E extends keyof ChatEvents>(event: E, listener: (params: ChatEvents[E]) => void): () => void {
    return this.#core.emitter.on(event, listener);
  }

  /** Shows what is cached, then connects; resolves when the cache is loaded. `state` tells the rest. */
  async start(): Promise<void> {
    await this.#core.start();
    this.#listen(true);
  }

  /** Ends the connection of this tab; what is kept stays, and is kept when this resolves. */
  stop(): Promise<void> {
    this.#listen(false);
    return this.#core.stop();
  }

  // --- accounts (built in; a site with `token` needs none of these)

  async signup(params: SignupParams): Promise<AccountSession> {
    const session = await this.#core.account.signup({ ...this.#device(), ...params });
    await this.#core.signedIn(session);
    return session;
  }

  async login(params: LoginParams): Promise<AccountSession> {
    const session = await this.#core.account.login({ ...this.#device(), ...params });
    await this.#core.signedIn(session);
    return session;
  }

  /** Ends the login at the server (if it can be reached) and takes everything kept here away, in every tab. */
  async logout(): Promise<void> {
    const { account } = this.#core;
    const { session } = account;
    await this.#core.signedOut('logged_out', true);
    await account.logout(session);
  }

  /** Ends all other logins of the user. */
  changePassword(password: string, new_password: string): Promise<void> {
    return this.#core.account.changePassword(password, new_password);
  }

  /** Any HTTP route below /v1, with the token: e.g. request('GET', 'account/export'). The caller reads the answer. */
  async request(method: string, path: string, body?: unknown): Promise<Response> {
    const { account, http } = this.#core;
    return http.fetch(method, http.url('api', '/' + path), { token: await account.token('first'), body });
  }

  // --- calls

  /**
   * Any method of the protocol.  What it changes shows in channels(), contacts(), user() too.  Waits for a connection,
   * repeats after 429 and 503 (done once: a client_id is added where there is none), until `timeout`.
   */
  call<M extends keyof Methods>(
    method: M,
    params: Methods[M]['params'],
    options?: CallOptions,
  ): Promise<Methods[M]['result']> {
    return this.#core.call(method, params, options);
  }

  /** The server's clock, ms. */
  now(): number {
    return this.#core.clock.now();
  }

  // --- channels

  /** Not hidden, newest activity first.  The same array until something changes. */
  channels(): readonly ChannelState[] {
    return this.#core.model.channels.list();
  }

  /** In no order, the hidden ones, too: those of before this device came once `channel.list` with `hidden` was answered. */
  known(): readonly ChannelState[] {
    return this.#core.model.channels.all();
  }

  channel(channel: protocol.ChannelId): ChannelState | undefined {
    return this.#core.model.channels.get(channel);
  }

  /** The direct channel with a user, when there is one. */
  direct(user: protocol.UserId): ChannelState | undefined {
    return this.#core.model.channels.direct(user);
  }

  /** Members with their markers; the channel() has them afterwards. */
  async members(channel: protocol.ChannelId): Promise<ChannelState> {
    await this.call('channel.get', { channel });
    return this.channel(channel)!;
  }

  /** Who is typing there now, oneself excepted. */
  typingIn(channel: protocol.ChannelId): readonly protocol.UserId[] {
    return this.#core.model.typing.in(channel);
  }

  /** How far a message of one's own got. */
  mark(message: protocol.Message): Mark {
    return this.#core.model.channels.mark(message);
  }

  // --- messages

  /** Goes into the outbox and from there to the server, once, in order; also when offline now. */
  send(draft: Draft): Sending {
    const client_id = clientId();
    const core = this.#core;
    const sent = new Promise<protocol.MessageSendResult>((resolve, reject) =>
      core.sending.set(client_id, { resolve, reject }),
    );
    // whoever does not ask is not to be bothered
    sent.catch(() => {});
    const order = Math.max(Date.now(), ...core.entries().slice(-1).map((entry) => entry.order + 1));
    core.send({ ...draft, client_id, created_at: this.now(), state: 'queued', attempted_at: 0, order });
    return { client_id, sent };
  }

  outbox(): readonly OutboxEntry[] {
    return this.#core.entries();
  }

  /** Tries a failed one again. */
  retry(client_id: protocol.ClientId): void {
    this.#core.retry(client_id);
  }

  /** Takes one that is not being sent out of the outbox. */
  discard(client_id: protocol.ClientId): void {
    this.#core.discard(client_id);
  }

  async edit(channel: protocol.ChannelId, message_id: protocol.MessageId, text: string): Promise<protocol.Message> {
    return (await this.call('message.edit', { channel, message_id, text })).message;
  }

  async delete(channel: protocol.ChannelId, message_id: protocol.MessageId): Promise<protocol.Message> {
    return (await this.call('message.delete', { channel, message_id })).message;
  }

  async react(
    channel: protocol.ChannelId,
    message_id: protocol.MessageId,
    emoji: string,
    remove = false,
  ): Promise<protocol.Message> {
    return (await this.call('message.react', { channel, message_id, emoji, remove })).message;
  }

  /** Everything up to here (default: the newest) was read: shown at once, told the server coalesced. */
  read(channel: protocol.ChannelId, message_id: protocol.MessageId = Infinity): void {
    this.#core.read(channel, message_id);
  }

  /** Call it at every key: told at most every two seconds, and only when online. */
  typing(channel: protocol.ChannelId): void {
    if (this.#core.model.typing.due(channel)) this.#core.notify('typing', { channel });
  }

  /** A window of a conversation; close() it when it is no longer shown. */
  timeline(conversation: { channel: protocol.ChannelId } | { to: protocol.UserId }): Timeline {
    return new ConversationTimeline(this.#core, conversation);
  }

  // --- people

  contacts(): readonly protocol.Contact[] {
    return this.#core.model.people.contacts();
  }

  contact(user: protocol.UserId): protocol.ContactState {
    return this.#core.model.people.contact(user);
  }

  /** The cached profile; one that is missing or old is fetched, and `user` tells when it is there. */
  user(user: protocol.UserId): protocol.User | undefined {
    return this.#core.profile(user);
  }

  /** Friends without asking, others while watched. */
  presence(user: protocol.UserId): protocol.Presence | undefined {
    return this.#core.model.people.presence(user);
  }

  /** Keeps presence() of these users right until the function given back is called. */
  watch(users: readonly protocol.UserId[]): () => void {
    return this.#core.watch(users);
  }

  // --- the page

  #device(): { device?: string } {
    const { device } = this.#core.state;
    return device ? { device } : {};
  }

  #listen(on: boolean): void {
    if (typeof document === 'undefined') return;
    const change = on ? 'addEventListener' : 'removeEventListener';
    globalThis[change]('online', this.#network);
    // a connection that is cut by it says nothing
    globalThis[change]('offline', this.#network);
    globalThis[change]('pagehide', this.#hidden);
    document[change]('visibilitychange', this.#visible);
  }

  readonly #network = (): void => this.#core.wake(false);

  readonly #visible = (): void => {
    if (document.visibilityState === 'visible') this.#core.wake(true);
    else this.#hidden();
  };

  readonly #hidden = (): void => this.#core.hide();
}
