// The one Chat of the page and what it tells, as signals: a view that reads
// one here is drawn again when it changes, and no other view is.

import { Chat, type ChannelState, type ChatState, type OutboxEntry } from '@chat/sdk';
import type { Contact, Presence, User } from '@chat/sdk';
import { signal, type Signal } from '@preact/signals';
import { setServerTime } from '../text/time.ts';
import { look } from './now.ts';
import { siteToken } from './site_token.ts';

const token = siteToken();

export const chat = new Chat(token ? { token: () => token } : {});

export const state = signal<ChatState>(chat.state);
/** The cache is loaded: what is empty now is empty. */
export const ready = signal(false);
export const channelList = signal<readonly ChannelState[]>([]);
export const contacts = signal<readonly Contact[]>([]);
export const outbox = signal<readonly OutboxEntry[]>([]);

/** Counts the changes of each of many things. */
class Versions {
  private readonly versions = new Map<string, Signal<number>>();

  follow(key: string): void {
    let version = this.versions.get(key);
    if (!version) this.versions.set(key, (version = signal(0)));
    void version.value;
  }

  bump(key: string): void {
    const version = this.versions.get(key);
    if (version) version.value++;
  }

  bumpAll(): void {
    for (const version of this.versions.values()) version.value++;
  }
}

const channelVersions = new Versions();
const userVersions = new Versions();
const presenceVersions = new Versions();

export function channelOf(channel: string): ChannelState | undefined {
  channelVersions.follow(channel);
  return chat.channel(channel);
}

export function typingIn(channel: string): readonly string[] {
  channelVersions.follow(channel);
  return chat.typingIn(channel);
}

export function profileOf(user: string): User | undefined {
  userVersions.follow(user);
  return chat.user(user);
}

export function presenceOf(user: string): Presence | undefined {
  presenceVersions.follow(user);
  return chat.presence(user);
}

function readAll(): void {
  state.value = chat.state;
  channelList.value = chat.channels();
  contacts.value = chat.contacts();
  outbox.value = chat.outbox();
  channelVersions.bumpAll();
  userVersions.bumpAll();
  presenceVersions.bumpAll();
}

chat.on('state', (next) => {
  const before = state.value;
  setServerTime(chat.now());
  look();
  if (before.user !== next.user) readAll();
  state.value = next;
});
chat.on('reset', readAll);
chat.on('channels', () => (channelList.value = chat.channels()));
chat.on('channel', ({ channel }) => {
  channelVersions.bump(channel);
  channelList.value = chat.channels();
});
chat.on('contacts', () => (contacts.value = chat.contacts()));
chat.on('user', ({ user }) => userVersions.bump(user));
chat.on('presence.changed', ({ user }) => presenceVersions.bump(user));
chat.on('outbox', ({ entries }) => (outbox.value = entries));

export async function start(): Promise<void> {
  try {
    await chat.start();
  } finally {
    readAll();
    ready.value = true;
  }
}

/** Who one is; only called where somebody is logged in. */
export function me(): string {
  return state.value.user ?? '';
}

export function limitOf(name: 'text_chars' | 'group_members' | 'name_chars'): number {
  const known = { text_chars: 100_000, group_members: 100, name_chars: 200 };
  return state.value.limits?.[name] ?? known[name];
}
