// The list of channels: last message, markers, unread counts.  Everything is
// derived from numbers that only grow, so an event told twice changes nothing.
import type * as p from './protocol.ts';
import { newer, reacted } from './message.ts';
import type { ChannelState, Mark, MemberState } from './types.ts';

export interface ChannelsHooks {
  me(): string | null;
  /** `null`: it is gone. */
  channelChanged(channel: string, state: ChannelState | null): void;
  /** A message came in a channel that is not known. */
  unknownChannel(channel: string): void;
}

/** A channel as the various methods and events tell it. */
type Told = Partial<Omit<p.ListedChannel, 'members'>> & { channel: string; kind: p.Kind; members?: MemberState[] };

export class Channels {
  #states = new Map<string, ChannelState>();
  #byPeer = new Map<string, string>();
  #sorted: readonly ChannelState[] | null = null;

  constructor(private readonly hooks: ChannelsHooks) {}

  /** Shown ones, newest activity first. */
  list(): readonly ChannelState[] {
    return (this.#sorted ??= this.all()
      .filter((c) => !c.hidden)
      .sort((a, b) => activity(b) - activity(a) || (a.channel < b.channel ? -1 : 1)));
  }

  all(): ChannelState[] {
    return [...this.#states.values()];
  }

  get(channel: string): ChannelState | undefined {
    return this.#states.get(channel);
  }

  direct(user: string): ChannelState | undefined {
    return this.#states.get(this.#byPeer.get(user) ?? '');
  }

  /** What was cached, or another tab knows. */
  restore(states: readonly ChannelState[]): void {
    this.clear();
    for (const state of states) this.#place(state);
  }

  clear(): void {
    this.#states.clear();
    this.#byPeer.clear();
    this.#sorted = null;
  }

  // --- what the server tells

  /** An event of the stream. */
  apply(method: string, params: any): void {
    switch (method) {
      case 'message.new':
        return this.#message(params.message);
      case 'message.edited':
      case 'message.deleted':
        return this.#replaced(params.message);
      case 'message.reacted':
        return this.#changed(params.channel, params.message_id, (old) => reacted(old, params));
      case 'channel.updated':
        return params.removed ? this.remove(params.channel.channel) : this.#merge(params.channel);
      case 'receipt':
        return this.#receipt(params);
    }
  }

  /** The result of a method. */
  applyResult(method: string, params: any, result: any): void {
    if (method === 'channel.list') {
      for (const channel of result.channels as p.ListedChannel[]) {
        // a message that came meanwhile has shown it again
        const late = this.get(channel.channel)?.newest! > (channel.last_message?.message_id ?? 0);
        this.#merge(channel, { hidden: !!params.hidden && !late });
      }
    } else if (method === 'channel.leave') {
      this.remove(params.channel);
    } else if (method === 'channel.hide') {
      this.#merge(result.channel, { hidden: true });
    } else if (method === 'channel.read') {
      this.read(params.channel, params.message_id);
    } else if (method.startsWith('channel.') && result.channel) {
      this.#merge(result.channel);
    } else if (method === 'message.history' && params.channel) {
      const last = (result.messages as p.Message[]).at(-1);
      if (last) this.#last(last);
    } else if (result.message) {
      this.#replaced(result.message);
    }
  }

  /** Moves one's own marker, never back, never beyond what there is; where it is now, 0 when it did not move. */
  read(channel: string, message_id: number): number {
    const state = this.#states.get(channel);
    const read = Math.min(message_id, state?.newest ?? 0);
    if (!state || read <= state.read) return 0;
    this.#put({ ...state, read });
    return read;
  }

  /** After a whole list was read: those that are not in it are hidden. */
  hideOthers(listed: ReadonlySet<string>, before: ReadonlyMap<string, number>): void {
    for (const [channel, newest] of before) {
      const state = this.#states.get(channel);
      if (state && !listed.has(channel) && state.newest === newest && !state.hidden) this.#put({ ...state, hidden: true });
    }
  }

  mark(message: p.Message): Mark {
    const others = this.#states.get(message.channel)?.members.filter((m) => m.user !== message.sender) ?? [];
    const all = (marker: 'read' | 'delivered') => others.every((m) => (m[marker] ?? 0) >= message.message_id);
    return all('read') ? 'read' : all('delivered') ? 'delivered' : 'sent';
  }

  remove(channel: string): void {
    const state = this.#states.get(channel);
    if (!state) return;
    this.#states.delete(channel);
    this.#byPeer.delete(state.peer ?? '');
    this.#sorted = null;
    this.hooks.channelChanged(channel, null);
  }

  // --- the steps

  #message(message: p.Message): void {
    const me = this.hooks.me();
    let state = this.#states.get(message.channel);
    if (!state) {
      this.hooks.unknownChannel(message.channel);
      if (message.sender === me || me === null) return;
      // a group is always announced, so this is a direct channel
      const members = [...new Set([me, message.sender])].map((user) => ({ user, role: 'member' as const }));
      state = fresh({ channel: message.channel, kind: 'direct', created_at: message.sent_at, members });
    }
    if (message.message_id < state.newest) return;
    const mine = message.sender === me;
    this.#put({
      ...state,
      hidden: false,
      newest: message.message_id,
      last_message: newer(state.last_message, message),
      read: mine ? Math.max(state.read, message.message_id) : state.read,
      // who writes has read
      members: state.members.map((m) =>
        m.user === message.sender ? raise(m, message.message_id, message.message_id) : m,
      ),
    });
  }

  #replaced(message: p.Message): void {
    this.#changed(message.channel, message.message_id, (old) => newer(old, message));
  }

  /** The newest there is, from history. */
  #last(message: p.Message): void {
    const state = this.#states.get(message.channel);
    if (!state || message.message_id < state.newest) return;
    this.#put({ ...state, newest: message.message_id, last_message: newer(state.last_message, message) });
  }

  /** The last message of a channel changes. */
  #changed(channel: string, message_id: number, change: (old: p.Message) => p.Message): void {
    const state = this.#states.get(channel);
    const last = state?.last_message;
    if (last?.message_id === message_id) this.#put({ ...state!, last_message: change(last) });
  }

  #receipt({ channel, user, read, delivered }: p.ReceiptEvent): void {
    const state = this.#states.get(channel);
    if (!state) return;
    const members = state.members.map((m) => (m.user === user ? raise(m, read, delivered) : m));
    this.#put({ ...state, members });
  }

  #merge(channel: Told, more: Partial<ChannelState> = {}): void {
    const old = this.#states.get(channel.channel) ?? fresh(channel);
    const { name, avatar, created_at = old.created_at, muted_until = old.muted_until } = channel;
    const members = channel.members?.map((m) => {
      const known = old.members.find((o) => o.user === m.user);
      return raise({ ...known, user: m.user, role: m.role }, m.read ?? known?.read, m.delivered ?? known?.delivered);
    });
    const own = channel.members?.find((m) => m.user === this.hooks.me());
    const last_message = channel.last_message ? newer(old.last_message, channel.last_message) : old.last_message;
    this.#put({
      ...old,
      name,
      avatar,
      created_at,
      muted_until,
      members: members ?? old.members,
      last_message,
      newest: Math.max(old.newest, last_message?.message_id ?? 0),
      read: Math.max(old.read, channel.read ?? 0, own?.read ?? 0),
      ...more,
    });
  }

  #put(state: ChannelState): void {
    this.#place(state);
    this.hooks.channelChanged(state.channel, this.#states.get(state.channel)!);
  }

  #place(state: ChannelState): void {
    state = { ...state, unread: Math.max(0, state.newest - state.read) };
    if (state.kind === 'direct') {
      const me = this.hooks.me();
      state.peer = (state.members.find((m) => m.user !== me) ?? state.members[0])?.user;
      if (state.peer !== undefined) this.#byPeer.set(state.peer, state.channel);
    }
    this.#states.set(state.channel, state);
    this.#sorted = null;
  }
}

const activity = (state: ChannelState): number => state.last_message?.sent_at ?? state.created_at;

const fresh = (channel: Told): ChannelState => ({
  channel: channel.channel,
  kind: channel.kind,
  created_at: channel.created_at ?? 0,
  members: channel.members ?? [],
  last_message: null,
  newest: 0,
  read: 0,
  unread: 0,
  muted_until: 0,
  hidden: false,
});

function raise(member: MemberState, read = 0, delivered = 0): MemberState {
  const raised = { ...member };
  if (read || member.read !== undefined) raised.read = Math.max(member.read ?? 0, read);
  if (delivered || read || member.delivered !== undefined) {
    raised.delivered = Math.max(member.delivered ?? 0, delivered, read);
  }
  return raised;
}
