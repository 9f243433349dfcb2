// What one tab knows: channels, messages, people, who types.  Events and
// results go in; listeners hear what changed, storage what is to be kept.
import { Channels } from './channels.ts';
import type { Clock } from './clock.ts';
import type { Emitter } from './emitter.ts';
import { Messages } from './messages.ts';
import { People, type Profile } from './people.ts';
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

export interface ModelHooks {
  me(): string | null;
  keep(change: Change): void;
  unknownChannel(channel: string): void;
  /** The messages of a channel have changed, or the channel itself has. */
  touched(channel: string): void;
}

export class Model {
  readonly channels: Channels;
  readonly messages: Messages;
  readonly people: People;
  readonly typing: Typing;
  #listChanged = false;
  #contactsChanged = false;

  constructor(
    private readonly emitter: Emitter<ChatEvents>,
    private readonly hooks: ModelHooks,
    clock: Clock,
    timing: Timing,
  ) {
    this.channels = new Channels({
      me: hooks.me,
      unknown: hooks.unknownChannel,
      changed: (channel, state) => this.#channelChanged(channel, state),
    });
    this.messages = new Messages({ changed: hooks.touched, keep: hooks.keep });
    this.people = new People(
      {
        user: (user, profile) => {
          hooks.keep({ store: 'users', key: user, update: () => profile });
          emitter.emit('user', { user });
        },
        contacts: (contact) => this.#contactChanged(contact),
        presence: (user) => emitter.emit('presence.changed', { user }),
      },
      () => clock.now(),
    );
    this.typing = new Typing(timing, (channel) => emitter.emit('channel', { channel }));
  }

  apply(method: string, params: any): void {
    this.channels.apply(method, params);
    this.messages.apply(method, params);
    this.people.apply(method, params);
    this.typing.apply(method, params);
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
    this.#tellLists();
    for (const { channel } of channels) this.hooks.touched(channel);
  }

  clear(): void {
    this.channels.clear();
    this.messages.clear();
    this.people.clear();
    this.typing.clear();
    this.#tellLists();
  }

  #channelChanged(channel: string, state: ChannelState | null): void {
    this.hooks.keep({ store: 'channels', key: channel, update: () => state ?? undefined });
    this.emitter.emit('channel', { channel });
    this.hooks.touched(channel);
    if (!this.#listChanged) {
      this.#listChanged = true;
      queueMicrotask(() => this.#tellChannels());
    }
  }

  #contactChanged(contact: Contact): void {
    const kept = contact.state === 'none' ? undefined : contact;
    this.hooks.keep({ store: 'contacts', key: contact.user, update: () => kept });
    if (!this.#contactsChanged) {
      this.#contactsChanged = true;
      queueMicrotask(() => this.#tellContacts());
    }
  }

  #tellLists(): void {
    this.#tellChannels();
    this.#tellContacts();
  }

  #tellChannels(): void {
    this.#listChanged = false;
    this.emitter.emit('channels', {});
  }

  #tellContacts(): void {
    this.#contactsChanged = false;
    this.emitter.emit('contacts', {});
  }
}
