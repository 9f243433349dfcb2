// What one tab knows: channels, messages, people, who types.  Events and
// results go in; listeners hear what changed, storage what is to be kept.
import { Channels, type ChannelsHooks } from './channels.ts';
import type { Emitter } from './emitter.ts';
import { Messages, type MessagesHooks } from './messages.ts';
import { People, type PeopleHooks, type Profile } from './people.ts';
import type { Contact, Presence } from './protocol.ts';
import type { Timing } from './timing.ts';
import { Typing } from './typing.ts';
import type { Change, ChannelState, ChatEvents } from './types.ts';

/** What a tab that joins gets of the one that has the connection. */
export interface ModelSnapshot {
  channels: ChannelState[];
  contacts: readonly Contact[];
  profiles: Profile[];
  presences: Presence[];
}

/** The tab around it. */
export interface ModelHooks {
  readonly emitter: Emitter<ChatEvents>;
  readonly timing: Timing;
  me(): string | null;
  now(): number;
  keep(change: Change): void;
  unknownChannel(channel: string): void;
  /** The messages of a channel have changed, or the channel itself has. */
  touch(channel: string): void;
}

export class Model implements ChannelsHooks, MessagesHooks, PeopleHooks {
  readonly channels = new Channels(this);
  readonly messages = new Messages(this);
  readonly people = new People(this);
  readonly typing: Typing;
  /** Lists that were changed in this moment and are told of at its end. */
  readonly #lists = new Set<'channels' | 'contacts'>();

  constructor(private readonly hooks: ModelHooks) {
    this.typing = new Typing(hooks.timing, (channel) => hooks.emitter.emit('channel', { channel }));
  }

  apply(method: string, params: any): void {
    for (const part of [this.channels, this.messages, this.people, this.typing]) part.apply(method, params);
  }

  applyResult(method: string, params: any, result: any): void {
    if (method === 'message.history') this.messages.page(params.channel, result.messages);
    else if (method.startsWith('message.') && result.message) this.messages.replace(result.message);
    this.channels.applyResult(method, params, result);
    this.people.applyResult(method, params, result);
  }

  snapshot(): ModelSnapshot {
    return {
      channels: this.channels.all(),
      contacts: this.people.contacts(),
      profiles: [...this.people.profiles.values()],
      presences: this.people.presences(),
    };
  }

  restore({ channels, contacts, profiles, presences }: ModelSnapshot): void {
    this.channels.restore(channels);
    this.people.restore(contacts, profiles, presences);
    this.#changed('channels');
    this.#changed('contacts');
    for (const { channel } of channels) this.hooks.touch(channel);
  }

  clear(): void {
    for (const part of [this.channels, this.messages, this.people, this.typing]) part.clear();
    this.#changed('channels');
    this.#changed('contacts');
  }

  // --- what its parts ask and tell

  me(): string | null {
    return this.hooks.me();
  }

  now(): number {
    return this.hooks.now();
  }

  keep(change: Change): void {
    this.hooks.keep(change);
  }

  unknownChannel(channel: string): void {
    this.hooks.unknownChannel(channel);
  }

  messagesChanged(channel: string): void {
    this.hooks.touch(channel);
  }

  channelChanged(channel: string, state: ChannelState | null): void {
    this.keep({ store: 'channels', key: channel, update: () => state ?? undefined });
    this.hooks.emitter.emit('channel', { channel });
    this.hooks.touch(channel);
    this.#changed('channels');
  }

  userChanged(profile: Profile): void {
    const { user } = profile;
    this.keep({ store: 'users', key: user, update: () => profile });
    this.hooks.emitter.emit('user', { user });
  }

  contactChanged(contact: Contact): void {
    const kept = contact.state === 'none' ? undefined : contact;
    this.keep({ store: 'contacts', key: contact.user, update: () => kept });
    this.#changed('contacts');
  }

  presenceChanged(user: string): void {
    this.hooks.emitter.emit('presence.changed', { user });
  }

  #changed(list: 'channels' | 'contacts'): void {
    if (this.#lists.has(list)) return;
    this.#lists.add(list);
    queueMicrotask(() => {
      this.#lists.delete(list);
      this.hooks.emitter.emit(list, {});
    });
  }
}
