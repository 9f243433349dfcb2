import { Emitter } from './emitter.ts';
import { ChatError } from './errors.ts';
import type * as protocol from './protocol.ts';
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

const later = (): never => {
  throw new ChatError(0, 'not_built', 'not built yet on this branch');
};

/** One user's chat. */
export class Chat {
  private readonly emitter = new Emitter<ChatEvents>();
  private current: ChatState = {
    status: 'stopped',
    transport: null,
    user: null,
    device: null,
    synced: false,
    retry_at: null,
    reason: null,
    storage: 'memory',
    leader: true,
    limits: null,
  };
  private socket: WebSocket | null = null;
  private calls = new Map<number, { resolve: (result: any) => void; reject: (error: Error) => void }>();
  private next = 1;

  constructor(private readonly options: ChatOptions = {}) {}

  get state(): ChatState {
    return this.current;
  }

  /** Gives back how to end it. */
  on<E extends keyof ChatEvents>(event: E, listener: (params: ChatEvents[E]) => void): () => void {
    return this.emitter.on(event, listener);
  }

  /** Shows what is cached, then connects; resolves when the cache is loaded. `state` tells the rest. */
  async start(): Promise<void> {
    const base = new URL(this.options.url ?? location.href);
    const token = await this.options.token?.('first');
    if (!token) return this.set({ status: 'signed_out' });
    this.set({ status: 'connecting' });
    base.protocol = base.protocol.replace('http', 'ws');
    base.pathname = this.options.paths?.ws ?? '/ws';
    const socket = new WebSocket(base, ['chat.v1', 'bearer.' + token]);
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.method === 'session.ready') {
        const { user, device, limits } = message.params;
        this.set({ status: 'online', transport: 'websocket', user, device, limits, synced: true });
      }
      if (message.method) return this.emitter.emit(message.method, message.params);
      const call = this.calls.get(message.id);
      this.calls.delete(message.id);
      if (!message.error) return call?.resolve(message.result);
      const { code, data: details, message: text } = message.error;
      call?.reject(new ChatError(code, details?.reason, text, details));
    };
    socket.onclose = () => this.set({ status: 'waiting', transport: null });
  }

  /** Ends the connection of this tab; what is kept stays. */
  stop(): void {
    this.socket?.close();
    this.set({ status: 'stopped' });
  }

  private set(change: Partial<ChatState>): void {
    this.current = { ...this.current, ...change };
    this.emitter.emit('state', this.current);
  }

  // --- accounts (built in; a site with `token` needs none of these)

  signup(_params: SignupParams): Promise<AccountSession> {
    return later();
  }

  login(_params: LoginParams): Promise<AccountSession> {
    return later();
  }

  /** Ends the login at the server (if it can be reached) and takes everything kept here away, in every tab. */
  logout(): Promise<void> {
    return later();
  }

  /** Ends all other logins of the user. */
  changePassword(_password: string, _new_password: string): Promise<void> {
    return later();
  }

  /** Any HTTP route below /v1, with the token: e.g. request('GET', 'account/export'). The caller reads the answer. */
  request(_method: string, _path: string, _body?: unknown): Promise<Response> {
    return later();
  }

  // --- calls

  /**
   * Any method of the protocol.  What it changes shows in channels(), contacts(), user() too.  Waits for a connection,
   * repeats after 429 and 503 (done once: a client_id is added where there is none), until `timeout`.
   */
  call<M extends keyof Methods>(
    method: M,
    params: Methods[M]['params'],
    _options?: CallOptions,
  ): Promise<Methods[M]['result']> {
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.calls.set(id, { resolve, reject });
      this.socket?.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  /** The server's clock, ms. */
  now(): number {
    return Date.now();
  }

  // --- channels

  /** Not hidden, newest activity first.  The same array until something changes. */
  channels(): readonly ChannelState[] {
    return [];
  }

  channel(_channel: protocol.ChannelId): ChannelState | undefined {
    return undefined;
  }

  /** The direct channel with a user, when there is one. */
  direct(_user: protocol.UserId): ChannelState | undefined {
    return undefined;
  }

  /** Members with their markers; the channel() has them afterwards. */
  members(_channel: protocol.ChannelId): Promise<ChannelState> {
    return later();
  }

  /** Who is typing there now, oneself excepted. */
  typingIn(_channel: protocol.ChannelId): readonly protocol.UserId[] {
    return [];
  }

  /** How far a message of one's own got. */
  mark(_message: protocol.Message): Mark {
    return 'sent';
  }

  // --- messages

  /** Goes into the outbox and from there to the server, once, in order; also when offline now. */
  send(_draft: Draft): Sending {
    return later();
  }

  outbox(): readonly OutboxEntry[] {
    return [];
  }

  /** Tries a failed one again. */
  retry(_client_id: protocol.ClientId): void {}

  /** Takes one that is not being sent out of the outbox. */
  discard(_client_id: protocol.ClientId): void {}

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
  read(_channel: protocol.ChannelId, _message_id?: protocol.MessageId): void {}

  /** Call it at every key: told at most every two seconds, and only when online. */
  typing(_channel: protocol.ChannelId): void {}

  /** A window of a conversation; close() it when it is no longer shown. */
  timeline(_conversation: { channel: protocol.ChannelId } | { to: protocol.UserId }): Timeline {
    return later();
  }

  // --- people

  contacts(): readonly protocol.Contact[] {
    return [];
  }

  contact(_user: protocol.UserId): protocol.ContactState {
    return 'none';
  }

  /** The cached profile; one that is missing or old is fetched, and `user` tells when it is there. */
  user(_user: protocol.UserId): protocol.User | undefined {
    return undefined;
  }

  /** Friends without asking, others while watched. */
  presence(_user: protocol.UserId): protocol.Presence | undefined {
    return undefined;
  }

  /** Keeps presence() of these users right until the function given back is called. */
  watch(_users: readonly protocol.UserId[]): () => void {
    return () => {};
  }
}
