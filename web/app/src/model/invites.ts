// Invites by which others join a group.

import { chat } from './chat.ts';

/** What one who is not a member may know of the group. */
export interface Invitation {
  invite: string;
  name: string;
  members: number;
}

interface Answers {
  'invite.list': { invites: Invite[] };
  'invite.create': unknown;
  'invite.revoke': unknown;
  'invite.get': { invite: Invitation };
  'invite.join': { channel: { channel: string } };
}

const call = chat.call.bind(chat) as unknown as <M extends keyof Answers>(method: M, params: object) => Promise<Answers[M]>;

export interface Invite {
  invite: string;
  channel: string;
  created_by: string;
  created_at: number;
  expires_at: number | null;
  max_uses: number | null;
  uses: number;
}

export async function listInvites(channel: string): Promise<Invite[]> {
  return (await call('invite.list', { channel })).invites;
}

export async function createInvite(channel: string, lifetime: number): Promise<void> {
  await call('invite.create', { channel, lifetime });
}

export async function revokeInvite(channel: string, invite: string): Promise<void> {
  await call('invite.revoke', { channel, invite });
}

export async function getInvitation(invite: string): Promise<Invitation> {
  return (await call('invite.get', { invite })).invite;
}

/** Makes one a member; the channel. */
export async function join(invite: string): Promise<string> {
  return (await call('invite.join', { invite })).channel.channel;
}
