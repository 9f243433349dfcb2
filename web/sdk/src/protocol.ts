// Generated from docs/openrpc.json by scripts/generate.mjs; not to be edited.

export type UserId = string;

export type DeviceId = string;

/** opaque; at most 160 bytes */
export type ChannelId = string;

/** 1, 2, 3 ... in each channel, without gaps, in commit order */
export type MessageId = number;

/** 1, 2, 3 ... for each user, without gaps, in commit order; 0: before the first */
export type InboxId = number;

/** 1 to 64 bytes, unique for each user: done once, whatever is repeated */
export type ClientId = string;

/** milliseconds since the epoch */
export type Time = number;

export type Role = "owner" | "admin" | "member";

export type Kind = "direct" | "group";

/** 1 to 200 code points */
export type Name = string;

/** at most 1,024 bytes */
export type Avatar = string;

/** 1 to 100,000 Unicode code points, stored and returned as they came */
export type Text = string;

/** Without text, once it was deleted. reply_to and mentions where they were given, edited_at once it was edited, reactions where there are some. */
export interface Message {
  channel: ChannelId;
  message_id: MessageId;
  sender: UserId;
  sent_at: Time;
  client_id: ClientId;
  type: "text";
  text?: Text;
  reply_to?: MessageId;
  mentions?: UserId[];
  edited_at?: Time;
  deleted_at?: Time;
  reactions?: Reaction[];
}

/** 1 to 32 bytes of UTF-8 */
export type Emoji = string;

export interface Reaction {
  emoji: Emoji;
  users: UserId[];
}

/** milliseconds since 1970; null: without end; 0: not muted */
export type MutedUntil = number | null;

export interface Member {
  user: UserId;
  role: Role;
}

export interface MemberWithMarkers {
  user: UserId;
  role: Role;
  /** message id up to which one of his devices has acknowledged */
  delivered: number;
  /** message id of his read marker */
  read: number;
}

/** name and avatar: groups only */
export interface Channel {
  channel: ChannelId;
  kind: Kind;
  name?: Name;
  avatar?: Avatar;
  created_at: Time;
  members: Member[];
}

export interface ChannelWithMarkers {
  channel: ChannelId;
  kind: Kind;
  name?: Name;
  avatar?: Avatar;
  created_at: Time;
  members: MemberWithMarkers[];
  muted_until: MutedUntil;
}

/** what is told of a channel one is no longer in */
export interface ChannelLeft {
  channel: ChannelId;
  kind: Kind;
}

export interface ListedChannel {
  channel: ChannelId;
  kind: Kind;
  name?: Name;
  avatar?: Avatar;
  created_at: Time;
  members: Member[];
  last_message?: Message | null;
  unread: number;
  read: number;
  muted_until: MutedUntil;
}

export type InboxEvent = {
  method: "message.new";
  params: {
    inbox_id: InboxId;
    message: Message;
  };
} | {
  method: "message.edited";
  params: {
    inbox_id: InboxId;
    message: Message;
  };
} | {
  method: "message.deleted";
  params: {
    inbox_id: InboxId;
    message: Message;
  };
} | {
  method: "message.reacted";
  params: {
    inbox_id: InboxId;
    channel: ChannelId;
    message_id: MessageId;
    user: UserId;
    emoji: Emoji;
    removed: boolean;
  };
} | {
  method: "channel.updated";
  params: {
    inbox_id: InboxId;
    channel: Channel | ChannelLeft;
    removed?: true;
  };
} | {
  method: "contact.updated";
  params: {
    inbox_id: InboxId;
    contact: Contact;
  };
};

export interface ErrorData {
  /** stable, for machines */
  reason: string;
  /** the parameter at fault */
  param?: string;
  /** seconds */
  retry_after?: number;
}

/** rate_per_minute and burst only where a rate limit is set */
export interface Limits {
  text_chars: number;
  message_bytes: number;
  batch: number;
  client_id_bytes: number;
  group_members: number;
  name_chars: number;
  avatar_bytes: number;
  mentions: number;
  emoji_bytes: number;
  reactions: number;
  history_limit: number;
  list_limit: number;
  sync_limit: number;
  rate_per_minute?: number;
  burst?: number;
}

/** none: in results and events only, of one who is no contact (any more) */
export type ContactState = "friend" | "requested" | "incoming" | "blocked" | "none";

export interface Contact {
  user: UserId;
  state: ContactState;
}

export interface User {
  user: UserId;
  /** code points; null: none */
  display_name: string | null;
  /** bytes; null: none */
  avatar: string | null;
  /** code points; null: none */
  status: string | null;
}

export interface Device {
  device: DeviceId;
  name: DeviceName;
  last_active_at: Time;
  /** acknowledged up to here; 0: nothing */
  inbox_id: number;
  /** the one that asks */
  current: boolean;
}

export interface Presence {
  user: UserId;
  online: boolean;
  /** ms since the epoch; null: never, or not to be seen */
  last_active_at: number | null;
}

/** 128 random bits behind what names the group */
export type InviteId = string;

export interface Invite {
  invite: InviteId;
  channel: ChannelId;
  created_by: UserId;
  created_at: Time;
  /** ms; null: never */
  expires_at: number | null;
  /** null: any number */
  max_uses: number | null;
  /** how many have joined by it */
  uses: number;
}

export interface InvitePreview {
  invite: InviteId;
  name: Name;
  avatar: string | null;
  /** how many */
  members: number;
}

/** as its user called it; null: nobody did */
export type DeviceName = string | null;

/** Is anybody there? */
export type PingParams = Record<string, never>;

export interface PingResult {
  server_time: Time;
}

/** Goes on with a newer token of the same user and device. */
export interface SessionRenewParams {
  token: string;
}

export interface SessionRenewResult {
  expires_at: Time;
}

/** Sends a text to a user or a channel. */
export interface MessageSendParams {
  /** either this or channel */
  to?: UserId;
  /** either this or to */
  channel?: ChannelId;
  client_id: ClientId;
  text: Text;
  type?: "text";
  /** a message of the channel */
  reply_to?: MessageId;
  mentions?: UserId[];
}

export interface MessageSendResult {
  channel: ChannelId;
  message_id: MessageId;
  inbox_id: InboxId;
  sent_at: Time;
  /** done before, or outside the sequence of this connection */
  duplicate?: true;
}

/** One message. */
export interface MessageGetParams {
  channel: ChannelId;
  message_id: MessageId;
}

export interface MessageGetResult {
  message: Message;
}

/** Messages of a channel, ascending. */
export interface MessageHistoryParams {
  channel: ChannelId;
  before?: number;
  after?: number;
  around?: number;
  limit?: number;
}

export interface MessageHistoryResult {
  messages: Message[];
  more: boolean;
}

/** Gives a message of one's own another text. */
export interface MessageEditParams {
  channel: ChannelId;
  message_id: MessageId;
  text: Text;
  client_id?: ClientId;
}

export interface MessageEditResult {
  message: Message;
}

/** Takes the text of a message away, for all members. */
export interface MessageDeleteParams {
  channel: ChannelId;
  message_id: MessageId;
  client_id?: ClientId;
}

export interface MessageDeleteResult {
  message: Message;
}

/** Gives a message a reaction, or takes one's own back. */
export interface MessageReactParams {
  channel: ChannelId;
  message_id: MessageId;
  emoji: Emoji;
  remove?: boolean;
  client_id?: ClientId;
}

export interface MessageReactResult {
  message: Message;
}

/** The pull form of the stream. */
export interface InboxSyncParams {
  after: number;
  limit?: number;
}

export interface InboxSyncResult {
  events: InboxEvent[];
  more: boolean;
  inbox_id: InboxId;
}

/** This device has everything up to here. */
export interface InboxAckParams {
  inbox_id: InboxId;
  client_id?: ClientId;
}

export type InboxAckResult = Record<string, never>;

/** Makes a group; the caller becomes its owner. */
export interface ChannelCreateParams {
  name: Name;
  /** at most 100 with the creator */
  members: UserId[];
  avatar?: Avatar;
  client_id?: ClientId;
}

export interface ChannelCreateResult {
  channel: Channel;
}

/** A channel with the markers of its members. */
export interface ChannelGetParams {
  channel: ChannelId;
}

export interface ChannelGetResult {
  channel: ChannelWithMarkers;
}

/** Own channels, newest activity first. */
export interface ChannelListParams {
  /** next of the page before */
  after?: string;
  limit?: number;
  /** true for those that are hidden, and no others */
  hidden?: boolean;
}

export interface ChannelListResult {
  channels: ListedChannel[];
  more: boolean;
  next: string | null;
}

/** Renames a group or gives it another avatar. */
export interface ChannelUpdateParams {
  channel: ChannelId;
  name?: Name;
  avatar?: Avatar;
  client_id?: ClientId;
}

export interface ChannelUpdateResult {
  channel: Channel;
}

/** Adds members. */
export interface ChannelAddParams {
  channel: ChannelId;
  users: UserId[];
  client_id?: ClientId;
}

export interface ChannelAddResult {
  channel: Channel;
}

/** Removes members. */
export interface ChannelRemoveParams {
  channel: ChannelId;
  users: UserId[];
  client_id?: ClientId;
}

export interface ChannelRemoveResult {
  channel: Channel;
}

/** Gives a member a role. */
export interface ChannelRoleParams {
  channel: ChannelId;
  user: UserId;
  role: Role;
  client_id?: ClientId;
}

export interface ChannelRoleResult {
  channel: Channel;
}

/** Leaves a group. */
export interface ChannelLeaveParams {
  channel: ChannelId;
  client_id?: ClientId;
}

export interface ChannelLeaveResult {
  channel: ChannelLeft;
}

/** Takes a channel off the own list until its next message. */
export interface ChannelHideParams {
  channel: ChannelId;
  client_id?: ClientId;
}

export interface ChannelHideResult {
  channel: Channel;
}

/** Moves the own read marker, never back. */
export interface ChannelReadParams {
  channel: ChannelId;
  message_id: number;
  client_id?: ClientId;
}

export type ChannelReadResult = Record<string, never>;

/** A link by which others join a group; by its owner and admins. */
export interface InviteCreateParams {
  channel: ChannelId;
  /** ms, in the future */
  expires_at?: number;
  /** s, instead of expires_at */
  lifetime?: number;
  max_uses?: number;
  client_id?: ClientId;
}

export interface InviteCreateResult {
  invite: Invite;
}

/** The invites of a group that are good; for its owner and admins. */
export interface InviteListParams {
  channel: ChannelId;
}

export interface InviteListResult {
  invites: Invite[];
}

/** Takes an invite back; one that was taken back stays so. */
export interface InviteRevokeParams {
  channel: ChannelId;
  invite: string;
  client_id?: ClientId;
}

export type InviteRevokeResult = Record<string, never>;

/** What one may see of a group before joining. */
export interface InviteGetParams {
  invite: string;
}

export interface InviteGetResult {
  invite: InvitePreview;
}

/** Makes the caller a member; one who is a member stays one. */
export interface InviteJoinParams {
  invite: string;
  client_id?: ClientId;
}

export interface InviteJoinResult {
  channel: Channel;
}

/** Own contacts; all of them at once unless limited. */
export interface ContactListParams {
  /** next of the page before */
  after?: string;
  limit?: number;
}

export interface ContactListResult {
  contacts: Contact[];
  more: boolean;
  next: string | null;
}

/** Asks a user to be a contact; makes friends with one who has asked. */
export interface ContactRequestParams {
  user: UserId;
  client_id?: ClientId;
}

export interface ContactRequestResult {
  contact: Contact;
}

/** Makes friends with one who has asked. */
export interface ContactAcceptParams {
  user: UserId;
  client_id?: ClientId;
}

export interface ContactAcceptResult {
  contact: Contact;
}

/** Refuses a request. */
export interface ContactDeclineParams {
  user: UserId;
  client_id?: ClientId;
}

export interface ContactDeclineResult {
  contact: Contact;
}

/** Ends a friendship, takes a request back, or refuses one; a block stays. */
export interface ContactRemoveParams {
  user: UserId;
  client_id?: ClientId;
}

export interface ContactRemoveResult {
  contact: Contact;
}

/** Refuses a user's direct messages, edits and reactions there, and group additions, and hides presence from him; he is not told. */
export interface ContactBlockParams {
  user: UserId;
  client_id?: ClientId;
}

export interface ContactBlockResult {
  contact: Contact;
}

/** Ends a block: what was there before is there again. */
export interface ContactUnblockParams {
  user: UserId;
  client_id?: ClientId;
}

export interface ContactUnblockResult {
  contact: Contact;
}

/** A profile. */
export interface UserGetParams {
  user: UserId;
}

export interface UserGetResult {
  user: User;
}

/** Changes the own profile; an empty text takes a field away. */
export interface UserUpdateParams {
  display_name?: string;
  avatar?: string;
  status?: string;
  client_id?: ClientId;
}

export interface UserUpdateResult {
  user: User;
}

/** Users whose id or display name begins with this, whatever its case. */
export interface UserSearchParams {
  query: string;
  limit?: number;
}

export interface UserSearchResult {
  users: User[];
}

/** Own devices. */
export type DeviceListParams = Record<string, never>;

export interface DeviceListResult {
  devices: Device[];
}

/** Names a device; an empty name takes it away. */
export interface DeviceUpdateParams {
  /** without it the caller's own */
  device?: DeviceId;
  name: string;
  client_id?: ClientId;
}

export interface DeviceUpdateResult {
  device: Device;
}

/** Ends the connections of a device (1008 device_removed) and its tokens issued so far. */
export interface DeviceRemoveParams {
  device: DeviceId;
  client_id?: ClientId;
}

export type DeviceRemoveResult = Record<string, never>;

/** Who is online, in the order asked. */
export interface PresenceGetParams {
  users: UserId[];
}

export interface PresenceGetResult {
  users: Presence[];
}

/** The same, and presence events of them from now on, on this connection. */
export interface PresenceWatchParams {
  users: UserId[];
}

export interface PresenceWatchResult {
  users: Presence[];
}

/** The same, and no more events of them. */
export interface PresenceUnwatchParams {
  users: UserId[];
}

export interface PresenceUnwatchResult {
  users: Presence[];
}

/** Keeps for oneself until when a channel is muted. */
export interface ChannelMuteParams {
  channel: ChannelId;
  until: MutedUntil;
  client_id?: ClientId;
}

export interface ChannelMuteResult {
  channel: ChannelWithMarkers;
}

/** Tells the other members, live, that one is typing; at most every two seconds. */
export interface TypingParams {
  channel: ChannelId;
}

export type TypingResult = Record<string, never>;

/** The first message of the server. */
export interface SessionReadyEvent {
  user: UserId;
  device: DeviceId;
  session: string;
  /** the newest */
  inbox_id: InboxId;
  server_time: Time;
  /** seconds */
  heartbeat: number;
  limits: Limits;
}

/** The server side was restarted: nothing stored is lost, live-only state is. */
export type SessionResumedEvent = Record<string, never>;

/** A close 1012 follows. */
export interface SessionClosingEvent {
  reason: string;
  /** milliseconds */
  reconnect_after: number;
}

/** A message in a channel of the user. */
export interface MessageNewEvent {
  inbox_id: InboxId;
  message: Message;
}

/** A message with its new text. */
export interface MessageEditedEvent {
  inbox_id: InboxId;
  message: Message;
}

/** A message was deleted. */
export interface MessageDeletedEvent {
  inbox_id: InboxId;
  message: Message;
}

/** Somebody reacted to a message, or took it back. */
export interface MessageReactedEvent {
  inbox_id: InboxId;
  channel: ChannelId;
  message_id: MessageId;
  user: UserId;
  emoji: Emoji;
  removed: boolean;
}

/** A group was made or changed; the one who leaves or is removed gets a last one. */
export interface ChannelUpdatedEvent {
  inbox_id: InboxId;
  channel: Channel | ChannelLeft;
  removed?: true;
}

/** Live only: how far another member has received and read a channel; at most one a second, the latest wins. */
export interface ReceiptEvent {
  channel: ChannelId;
  user: UserId;
  delivered: number;
  read: number;
}

/** A contact of one's own has another state. */
export interface ContactUpdatedEvent {
  inbox_id: InboxId;
  contact: Contact;
}

/** A friend or a watched user came or went. Live only. */
export interface PresenceEvent {
  user: UserId;
  online: boolean;
  last_active_at: number | null;
}

/** Tells the other members, live, that one is typing; at most every two seconds. */
export interface TypingEvent {
  channel: ChannelId;
  /** who types: only in what the server sends */
  user: UserId;
}

/** Every method: what it takes and answers. */
export interface Methods {
  ping: { params: PingParams; result: PingResult };
  "session.renew": { params: SessionRenewParams; result: SessionRenewResult };
  "message.send": { params: MessageSendParams; result: MessageSendResult };
  "message.get": { params: MessageGetParams; result: MessageGetResult };
  "message.history": { params: MessageHistoryParams; result: MessageHistoryResult };
  "message.edit": { params: MessageEditParams; result: MessageEditResult };
  "message.delete": { params: MessageDeleteParams; result: MessageDeleteResult };
  "message.react": { params: MessageReactParams; result: MessageReactResult };
  "inbox.sync": { params: InboxSyncParams; result: InboxSyncResult };
  "inbox.ack": { params: InboxAckParams; result: InboxAckResult };
  "channel.create": { params: ChannelCreateParams; result: ChannelCreateResult };
  "channel.get": { params: ChannelGetParams; result: ChannelGetResult };
  "channel.list": { params: ChannelListParams; result: ChannelListResult };
  "channel.update": { params: ChannelUpdateParams; result: ChannelUpdateResult };
  "channel.add": { params: ChannelAddParams; result: ChannelAddResult };
  "channel.remove": { params: ChannelRemoveParams; result: ChannelRemoveResult };
  "channel.role": { params: ChannelRoleParams; result: ChannelRoleResult };
  "channel.leave": { params: ChannelLeaveParams; result: ChannelLeaveResult };
  "channel.hide": { params: ChannelHideParams; result: ChannelHideResult };
  "channel.read": { params: ChannelReadParams; result: ChannelReadResult };
  "invite.create": { params: InviteCreateParams; result: InviteCreateResult };
  "invite.list": { params: InviteListParams; result: InviteListResult };
  "invite.revoke": { params: InviteRevokeParams; result: InviteRevokeResult };
  "invite.get": { params: InviteGetParams; result: InviteGetResult };
  "invite.join": { params: InviteJoinParams; result: InviteJoinResult };
  "contact.list": { params: ContactListParams; result: ContactListResult };
  "contact.request": { params: ContactRequestParams; result: ContactRequestResult };
  "contact.accept": { params: ContactAcceptParams; result: ContactAcceptResult };
  "contact.decline": { params: ContactDeclineParams; result: ContactDeclineResult };
  "contact.remove": { params: ContactRemoveParams; result: ContactRemoveResult };
  "contact.block": { params: ContactBlockParams; result: ContactBlockResult };
  "contact.unblock": { params: ContactUnblockParams; result: ContactUnblockResult };
  "user.get": { params: UserGetParams; result: UserGetResult };
  "user.update": { params: UserUpdateParams; result: UserUpdateResult };
  "user.search": { params: UserSearchParams; result: UserSearchResult };
  "device.list": { params: DeviceListParams; result: DeviceListResult };
  "device.update": { params: DeviceUpdateParams; result: DeviceUpdateResult };
  "device.remove": { params: DeviceRemoveParams; result: DeviceRemoveResult };
  "presence.get": { params: PresenceGetParams; result: PresenceGetResult };
  "presence.watch": { params: PresenceWatchParams; result: PresenceWatchResult };
  "presence.unwatch": { params: PresenceUnwatchParams; result: PresenceUnwatchResult };
  "channel.mute": { params: ChannelMuteParams; result: ChannelMuteResult };
  typing: { params: TypingParams; result: TypingResult };
}

/** Every notification of the server. */
export interface Notifications {
  "session.ready": SessionReadyEvent;
  "session.resumed": SessionResumedEvent;
  "session.closing": SessionClosingEvent;
  "message.new": MessageNewEvent;
  "message.edited": MessageEditedEvent;
  "message.deleted": MessageDeletedEvent;
  "message.reacted": MessageReactedEvent;
  "channel.updated": ChannelUpdatedEvent;
  receipt: ReceiptEvent;
  "contact.updated": ContactUpdatedEvent;
  presence: PresenceEvent;
  typing: TypingEvent;
}

/** Methods that take a client_id: repeated with the same one they are done once. */
export type TakesClientId =
  | 'message.send'
  | 'message.edit'
  | 'message.delete'
  | 'message.react'
  | 'inbox.ack'
  | 'channel.create'
  | 'channel.update'
  | 'channel.add'
  | 'channel.remove'
  | 'channel.role'
  | 'channel.leave'
  | 'channel.hide'
  | 'channel.read'
  | 'invite.create'
  | 'invite.revoke'
  | 'invite.join'
  | 'contact.request'
  | 'contact.accept'
  | 'contact.decline'
  | 'contact.remove'
  | 'contact.block'
  | 'contact.unblock'
  | 'user.update'
  | 'device.update'
  | 'device.remove'
  | 'channel.mute';
