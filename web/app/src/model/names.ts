// How people and conversations are called.

import type { ChannelState } from '@chat/sdk';
import { safeName } from '../text/safe_name.ts';
import { me, profileOf } from './chat.ts';

export function nameOf(user: string): string {
  return safeName(profileOf(user)?.display_name, user);
}

/** The name as others see it, "You" for oneself. */
export function nameOrYou(user: string): string {
  return user === me() ? 'You' : nameOf(user);
}

export function channelName(channel: ChannelState): string {
  if (channel.kind === 'group') return safeName(channel.name, 'Group');
  const peer = channel.peer ?? '';
  return peer === me() ? 'Notes to yourself' : nameOf(peer);
}

/** What gives a conversation its colour and letters. */
export function avatarId(channel: ChannelState): string {
  return channel.kind === 'direct' ? (channel.peer ?? channel.channel) : channel.channel;
}
