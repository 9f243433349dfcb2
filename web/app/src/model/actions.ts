// What one does to messages and conversations; failures are told.

import type { ChannelState, Message } from '@chat/sdk';
import { chat, me } from './chat.ts';
import { attempt } from './errors.ts';
import { tell } from './ui.ts';
import { go } from './route.ts';

export function react(message: Message, emoji: string, remove = false): void {
  void attempt(() => chat.react(message.channel, message.message_id, emoji, remove));
}

export function canEdit(message: Message): boolean {
  return message.sender === me() && !message.deleted_at;
}

export function roleIn(channel: ChannelState | undefined, user: string): string {
  return channel?.members.find((m) => m.user === user)?.role ?? 'member';
}

export function canManage(channel: ChannelState | undefined): boolean {
  return channel?.kind === 'group' && roleIn(channel, me()) !== 'member';
}

export function canDelete(message: Message, channel: ChannelState | undefined): boolean {
  return !message.deleted_at && (message.sender === me() || canManage(channel));
}

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    tell('Copied');
  } catch {
    tell('The browser does not let this page copy.', true);
  }
}

export function isMuted(channel: ChannelState, now: number): boolean {
  const until = channel.muted_until;
  return until === null || until > now;
}

export function mute(channel: string, until: number | null): void {
  void attempt(() => chat.call('channel.mute', { channel, until }), until === 0 ? 'Notifications are on' : 'Muted');
}

export function hide(channel: string): void {
  void attempt(() => chat.call('channel.hide', { channel }), 'Hidden until the next message').then((done) => {
    if (done) go({ section: 'chats' }, true);
  });
}

export function leave(channel: string): void {
  void attempt(() => chat.call('channel.leave', { channel }), 'You left the group').then((done) => {
    if (done) go({ section: 'chats' }, true);
  });
}

/** Opens the conversation with a user, whether something was written yet or not. */
export function talkTo(user: string): void {
  const channel = chat.direct(user);
  if (channel) go({ section: 'chats', channel: channel.channel });
  else go({ section: 'chats', to: user });
}
