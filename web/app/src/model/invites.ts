// Invites by which others join a group.

import { chat } from './chat.ts';

const call = chat.call.bind(chat) as unknown as (method: string, params: object) => Promise<{ invites: Invite[] }>;

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
