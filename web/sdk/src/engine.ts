// What the one tab with the connection does: the stream into the model and to
// the other tabs, acknowledgements, markers, and what has to be read anew.
import type { Account } from './account.ts';
import { Calls, type Arrived } from './calls.ts';
import type { Clock } from './clock.ts';
import { Connection, type ConnectionHooks, type ConnectionSetup } from './connection.ts';
import { asChatError, ChatError } from './errors.ts';
import type { Model } from './model.ts';
import type { Outbox } from './outbox.ts';
import type * as p from './protocol.ts';
import { Sequence, type SequenceHooks } from './sequence.ts';
import { coalesce } from './timing.ts';
import { claims } from './token.ts';
import type { CallOptions, ChatState, TokenReason } from './types.ts';

/** The tab around it. */
export interface EngineHooks {
  readonly account: Account;
  readonly clock: Clock;
  readonly model: Model;
  readonly outbox: Outbox;
  readonly state: ChatState;
  setState(change: Partial<ChatState>): void;
  /** The token belongs to this user: whatever is kept of another goes. */
  setUser(user: string): void;
  /** An event, in order. */
  deliver(method: string, params: any): void;
  /** A result that says something about the state. */
  applied(method: string, params: any, result: any): void;
  reset(): void;
  ended(reason: string): void;
  /** Keeps what is there and the cursor. */
  flush(): Promise<void>;
  watched(): string[];
}

const SILENT = new Set(['ping', 'session.renew', 'message.send', 'inbox.sync', 'inbox.ack', 'typing', 'device.list']);
const PAGE = 200;
const PRESENCES = 1000;

export class Engine implements ConnectionHooks, SequenceHooks {
  readonly connection: Connection;
  readonly sequence: Sequence;
  readonly #calls: Calls;
  readonly #reads = new Map<string, number>();
  readonly #describing = new Set<string>();
  #acked = 0;
  /** The whole list is to be read, since this tab has just begun to lead. */
  #fresh = true;
  #refreshed = 0;
  /** Nothing was kept. */
  #blank = true;
  #presenceTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #flushSoon = coalesce(
    () => this.setup.timing.flush,
    () => void this.hooks.flush(),
  );
  readonly #ackSoon = coalesce(
    () => this.setup.timing.ack,
    () => void this.#ack(),
  );
  readonly #readSoon = coalesce(
    () => this.setup.timing.read,
    () => void this.#tellReads(),
  );

  constructor(
    private readonly setup: ConnectionSetup,
    private readonly hooks: EngineHooks,
  ) {
    this.sequence = new Sequence(this);
    this.connection = new Connection(setup, this);
    this.#calls = new Calls(this.connection, setup.timing);
  }

  start(cursor: number | null): void {
    this.sequence.cursor = cursor;
    this.#fresh = true;
    this.#blank = cursor === null;
    this.connection.start();
  }

  stop(): void {
    clearTimeout(this.#presenceTimer);
    this.hooks.account.cancel();
    this.#flushSoon.cancel();
    this.#ackSoon.cancel();
    this.#readSoon.cancel();
    this.connection.stop();
    this.sequence.lost();
  }

  async call(method: string, params: any, options?: CallOptions): Promise<any> {
    const size = JSON.stringify(params).length;
    const most = this.hooks.state.limits?.message_bytes;
    if (most && size > most) throw new ChatError(413, 'too_large', `${size} of at most ${most} bytes`);
    const arrived: Arrived = (result) => {
      if (method === 'message.send') this.#sentInPlace(params, result);
      else if (!SILENT.has(method)) this.#applied(method, params, result);
    };
    try {
      return await this.#calls.call(method, params, options, arrived);
    } catch (error) {
      if (method === 'user.get' && asChatError(error).code === 404) this.#applied(method, params, { missing: true });
      throw error;
    }
  }

  notify(method: string, params: unknown): void {
    this.#calls.notify(method, params);
  }

  renewed(token: string): void {
    void this.connection.renewed(token);
  }

  /** Tells the server of a marker, soon. */
  read(channel: string, message_id: number): void {
    this.#reads.set(channel, Math.max(message_id, this.#reads.get(channel) ?? 0));
    this.#readSoon();
  }

  /** A message came in a channel nobody has told us about. */
  async describe(channel: string): Promise<void> {
    if (this.#describing.has(channel)) return;
    this.#describing.add(channel);
    try {
      await this.call('channel.get', { channel });
      await this.call('message.history', { channel, limit: 1 });
    } catch (error) {
      if (asChatError(error).code === 404) this.hooks.model.channels.remove(channel);
    }
    this.#describing.delete(channel);
  }

  /** The page is looked at again. */
  async shown(): Promise<void> {
    if (performance.now() - this.#refreshed > this.setup.timing.refresh) await this.refresh(false).catch(() => {});
  }

  /** What other devices of the user did to markers, mutes and hidden channels is told by no event. */
  async refresh(whole: boolean): Promise<void> {
    const { channels, people } = this.hooks.model;
    this.#refreshed = performance.now();
    const before = new Map(channels.all().map((c) => [c.channel, c.newest]));
    const listed = new Set<string>();
    let after: string | null = null;
    do {
      const page: p.ChannelListResult = await this.call('channel.list', { limit: PAGE, ...(after && { after }) });
      for (const { channel, read } of page.channels) {
        listed.add(channel);
        const own = channels.get(channel)?.read ?? 0;
        if (own > read) this.read(channel, own);
      }
      after = page.more ? page.next : null;
    } while (after && whole);
    if (!after) channels.hideOthers(listed, before);
    if (whole) {
      const contacts = people.contacts();
      people.dropOthers(await this.#contacts(), contacts);
      void this.#presence();
    }
  }

  /** Asks for the presence of these; where it is pushed it goes on being told. */
  async watch(users: string[]): Promise<void> {
    const method = this.hooks.state.transport === 'websocket' ? 'presence.watch' : 'presence.get';
    for (let i = 0; i < users.length; i += PRESENCES) {
      await this.call(method, { users: users.slice(i, i + PRESENCES) }).catch(() => {});
    }
  }

  // --- what the connection asks and tells

  cursor(): number | null {
    return this.sequence.cursor;
  }

  device(): string | null {
    return this.hooks.state.device;
  }

  async token(reason: TokenReason): Promise<string> {
    const token = await this.hooks.account.token(reason);
    const { sub } = claims(token);
    if (sub) this.hooks.setUser(sub);
    return token;
  }

  ready(params: p.SessionReadyEvent): void {
    this.hooks.clock.set(params.server_time);
    this.#calls.limits(params.limits);
    this.sequence.ready(params.inbox_id);
    this.hooks.account.schedule();
    this.hooks.deliver('session.ready', params);
    this.hooks.outbox.pump();
    void this.#presence();
    if (this.#reads.size) this.#readSoon();
    this.#flushSoon();
  }

  ended(reason: string): void {
    this.hooks.ended(reason);
  }

  ahead(): void {
    this.sequence.startOver();
  }

  event(method: string, params: any): void {
    this.sequence.accept(method, params);
    if (method === 'session.resumed') void this.#presence();
  }

  changed(change: Partial<ChatState>): void {
    if (change.status !== undefined && change.status !== 'online') {
      clearTimeout(this.#presenceTimer);
      this.hooks.account.cancel();
      this.sequence.lost();
    }
    this.hooks.setState(change);
  }

  // --- what the sequence asks and tells

  sync(after: number): Promise<p.InboxSyncResult> {
    return this.call('inbox.sync', { after, limit: 1000 });
  }

  broken(): void {
    this.connection.reconnect();
  }

  deliver(method: string, params: any): void {
    this.hooks.deliver(method, params);
    if (params.inbox_id !== undefined) {
      this.#flushSoon();
      this.#ackSoon();
    }
  }

  synced(synced: boolean): void {
    const whole = this.#fresh;
    // without a cache there is nothing to show before the list was read
    if (!synced || !this.#blank) this.hooks.setState({ synced });
    if (!synced) return;
    this.#fresh = false;
    this.refresh(whole).then(
      () => {
        this.#blank = false;
        if (this.sequence.synced) this.hooks.setState({ synced });
      },
      () => (this.#fresh ||= whole),
    );
    this.#ackSoon();
  }

  reset(): void {
    this.#acked = 0;
    this.#fresh = this.#blank = true;
    this.hooks.outbox.reset();
    this.hooks.reset();
  }

  async #presence(): Promise<void> {
    clearTimeout(this.#presenceTimer);
    const pushed = this.hooks.state.transport === 'websocket';
    const friends = this.hooks.model.people.contacts().filter((c) => c.state === 'friend');
    const users = friends.map((c) => c.user);
    if (!pushed) this.#presenceTimer = setTimeout(() => void this.#presence(), this.setup.timing.presence);
    for (let i = 0; i < users.length; i += PRESENCES) {
      await this.call('presence.get', { users: users.slice(i, i + PRESENCES) }).catch(() => {});
    }
    await this.watch(this.hooks.watched());
  }

  // --- results

  #applied(method: string, params: any, result: any): void {
    this.hooks.applied(method, params, result);
    this.#flushSoon();
  }

  /** Over a WebSocket the result of a send stands in the place of its message.new. */
  #sentInPlace(params: p.MessageSendParams, result: p.MessageSendResult): void {
    const state = this.hooks.state;
    if (result.duplicate || state.transport !== 'websocket' || !state.user) return;
    const { to: _, channel: __, client_id, text, ...rest } = params;
    const { channel, message_id, inbox_id, sent_at } = result;
    const message: p.Message = {
      channel,
      message_id,
      sender: state.user,
      sent_at,
      client_id,
      ...rest,
      type: 'text',
      text,
    };
    this.sequence.accept('message.new', { inbox_id, message });
  }

  async #contacts(): Promise<Set<string>> {
    const listed = new Set<string>();
    let after: string | null = null;
    do {
      const page: p.ContactListResult = await this.call('contact.list', after ? { after } : {});
      for (const { user } of page.contacts) listed.add(user);
      after = page.more ? page.next : null;
    } while (after);
    return listed;
  }

  async #ack(): Promise<void> {
    await this.hooks.flush();
    const inbox_id = this.sequence.cursor;
    if (inbox_id === null || inbox_id <= this.#acked || !this.connection.isOnline) return;
    await this.call('inbox.ack', { inbox_id }).then(
      () => (this.#acked = Math.max(this.#acked, inbox_id)),
      () => {},
    );
  }

  async #tellReads(): Promise<void> {
    for (const [channel, message_id] of [...this.#reads]) {
      try {
        await this.call('channel.read', { channel, message_id });
      } catch (error) {
        // told again when a connection stands
        if (asChatError(error).temporary) continue;
      }
      if (this.#reads.get(channel) === message_id) this.#reads.delete(channel);
    }
  }
}
