// The public shapes of the SDK.  What the protocol names keeps its name.
import type {
  ChannelId,
  ClientId,
  DeviceId,
  Kind,
  Limits,
  Message,
  MessageId,
  MessageSendResult,
  MutedUntil,
  Notifications,
  Role,
  Time,
  UserId,
} from './protocol.ts';
import type { Timing } from './timing.ts';

export type TransportName = 'websocket' | 'sse' | 'longpoll';

/** As much of the browser's WebSocket as is used; the class of `ws` fits, too. */
export interface WebSocketLike {
  readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
}

export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

/** Why a token is asked for: the first one, the old one is about to end, or the server refused it. */
export type TokenReason = 'first' | 'expiring' | 'refused';

export interface ChatOptions {
  /** Where the server is, e.g. https://chat.example; default: the origin of the page. */
  url?: string;
  /** Locations of the server; default /ws, /rpc and /v1. */
  paths?: { ws?: string; rpc?: string; api?: string };
  /** A site's own tokens.  Without it the built-in accounts are used: signup() and login(). */
  token?: (reason: TokenReason) => string | Promise<string>;
  /** Names the device where the token does not; default: one that is made and kept. */
  device?: DeviceId;
  /** Where things are kept; default IndexedDB where there is one, else memory. */
  storage?: 'indexeddb' | 'memory' | Storage;
  /** Of the database, the lock and the broadcast channel; default 'chat'. */
  name?: string;
  /** Share one connection among the tabs; default: where Web Locks and BroadcastChannel exist. */
  tabs?: boolean;
  /** Tried in this order; default websocket, sse, longpoll. */
  transports?: TransportName[];
  /** Default: the global one, where there is one; Node 20 has none. */
  WebSocket?: WebSocketClass | null;
  fetch?: typeof fetch;
  /** Other waits than the usual ones, in ms; timing.ts has them. */
  timing?: Partial<Timing>;
}

/** A new object at every change. */
export interface ChatState {
  /**
   * stopped: before start(), after stop(); signed_out: needs login(), signup() or another token;
   * waiting: until retry_at, then it connects again.
   */
  status: 'stopped' | 'signed_out' | 'connecting' | 'online' | 'waiting';
  /** Of the connection, while online. */
  transport: TransportName | null;
  user: UserId | null;
  device: DeviceId | null;
  /** Everything up to the newest inbox id is here. */
  synced: boolean;
  /** When waiting: the time (of this machine's clock) of the next attempt. */
  retry_at: number | null;
  /** Why signed out (logged_out, token_ended, token_expired, token_invalid, device_removed) or waiting. */
  reason: string | null;
  /** Where things are kept; memory: nothing outlives the page, since IndexedDB is missing, full or broken. */
  storage: 'indexeddb' | 'memory' | 'custom';
  /** This tab holds the connection. */
  leader: boolean;
  limits: Limits | null;
}

export interface MemberState {
  user: UserId;
  role: Role;
  /** Message ids; known once members() was called, or a receipt came. */
  delivered?: MessageId;
  read?: MessageId;
}

/** A channel of the list.  A new object at every change. */
export interface ChannelState {
  channel: ChannelId;
  kind: Kind;
  name?: string;
  avatar?: string;
  created_at: Time;
  members: MemberState[];
  /** With its newest text; null: nothing was written yet. */
  last_message: Message | null;
  /** The newest message id, 0 before the first. */
  newest: MessageId;
  /** One's own read marker. */
  read: MessageId;
  unread: number;
  muted_until: MutedUntil;
  /** One hid it; the next message shows it again. */
  hidden: boolean;
  /** Of a direct channel: the other user (oneself, for notes). */
  peer?: UserId;
}

/** What is sent.  Either `channel` or `to`. */
export interface Draft {
  channel?: ChannelId;
  to?: UserId;
  text: string;
  reply_to?: MessageId;
  mentions?: UserId[];
}

/** A message that the server has not confirmed yet.  A new object at every change. */
export interface OutboxEntry extends Draft {
  client_id: ClientId;
  /** Server time, as far as known. */
  created_at: Time;
  /** queued: sent when it can be; failed: the server refused it, see `error`: retry() or discard(). */
  state: 'queued' | 'sending' | 'failed';
  error?: { code: number; reason: string; message: string };
  /** Server time of the first attempt, 0 before it. */
  attempted_at: Time;
  /** Those of a conversation are sent in this order. */
  order: number;
}

/** What send() gives back. */
export interface Sending {
  client_id: ClientId;
  /** Resolves when it is durable at the server, rejects when it was refused or discarded. */
  sent: Promise<MessageSendResult>;
}

/** sent: the server has it; delivered, read: all other members (of a group: all of them). */
export type Mark = 'sent' | 'delivered' | 'read';

/** A window of a conversation, which follows events.  `messages` is contiguous and ascending. */
export interface Timeline {
  /** null: nothing was written to this user yet. */
  readonly channel: ChannelId | null;
  readonly to: UserId | null;
  readonly messages: readonly Message[];
  /** What is on its way, oldest first; it stands behind the newest message. */
  readonly pending: readonly OutboxEntry[];
  readonly has_before: boolean;
  /** There are newer messages than those of the window. */
  readonly has_after: boolean;
  readonly loading: 'newest' | 'before' | 'after' | 'around' | null;
  /** The newest messages: what is cached at once, then what the server has. */
  newest(): Promise<void>;
  before(limit?: number): Promise<void>;
  after(limit?: number): Promise<void>;
  around(message_id: MessageId): Promise<void>;
  /** To the first message at or after a time; its id, null when there is none. */
  date(time: Time): Promise<MessageId | null>;
  /** Called after each change; gives back how to end it. */
  subscribe(listener: () => void): () => void;
  close(): void;
}

export interface AccountSession {
  user: UserId;
  device: DeviceId;
  token: string;
  /** ms since the epoch, server time */
  expires_at: Time;
}

export interface SignupParams {
  user: UserId;
  password: string;
  display_name?: string;
  device?: DeviceId;
}

export interface LoginParams {
  user: UserId;
  password: string;
  device?: DeviceId;
}

export interface CallOptions {
  /** ms until it fails with reason `timeout`; default 30,000. */
  timeout?: number;
  /** Fails at once with reason `offline` when the connection is lost, or not there. */
  connected?: boolean;
  signal?: AbortSignal;
}

/** What the SDK itself tells, beside the notifications of the server. */
export interface LocalEvents {
  /** chat.state has changed. */
  state: ChatState;
  /** The list chat.channels() has changed. */
  channels: Record<string, never>;
  /** One channel has: members, markers, last message, typing. */
  channel: { channel: ChannelId };
  /** A profile came or changed. */
  user: { user: UserId };
  contacts: Record<string, never>;
  /** Of whoever chat.presence() tells. */
  'presence.changed': { user: UserId };
  outbox: { entries: readonly OutboxEntry[] };
  /** The server is another one or its store was reset: everything kept was dropped. */
  reset: Record<string, never>;
}

/** An event of the inbox that was missed while away is told like a live one, after `state.synced` became false. */
export type ChatEvents = Notifications & LocalEvents;

/** Where the SDK keeps things: stores of values by key.  One write is atomic. */
export interface Storage {
  readonly kind: 'indexeddb' | 'custom';
  /** Ascending by key; of `messages` those of one channel. */
  all<T>(store: StoreName, channel?: ChannelId): Promise<T[]>;
  write(changes: readonly Change[]): Promise<void>;
  /** Takes everything away. */
  clear(): Promise<void>;
  close(): void;
}

export type StoreName = 'meta' | 'channels' | 'messages' | 'users' | 'contacts' | 'outbox';

/** `messages` has [channel, message_id]. */
export type StoreKey = string | [string, number];

/** `update` gets what is there and gives what shall be; undefined takes it away. `upTo`: of all channels where it is null. */
export type Change =
  | { store: StoreName; key: StoreKey; update: (old: any) => unknown }
  | { store: 'messages'; channel: ChannelId | null; upTo: MessageId };
