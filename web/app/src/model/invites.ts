// Invites by which others join a group.

import type { Invite, InvitePreview } from '@chat/sdk';
import { chat } from './chat.ts';

export async function listInvites(channel: string): Promise<Invite[]> {
  return (await chat.call('invite.list', { channel })).invites;
}

export async function createInvite(channel: string, lifetime: number): Promise<void> {
  await chat.call('invite.create', { channel, lifetime });
}

export async function revokeInvite(channel: string, invite: string): Promise<void> {
  await chat.call('invite.revoke', { channel, invite });
}

/** What one who is not a member may know of the group. */
export async function getInvitation(invite: string): Promise<InvitePreview> {
  return (await chat.call('invite.get', { invite })).invite;
}

/** Makes one a member; the channel. */
export async function join(invite: string): Promise<string> {
  return (await chat.call('invite.join', { invite })).channel.channel;
}
