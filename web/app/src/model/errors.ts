// What went wrong, in words for the one who sees it.

import { ChatError } from '@chat/sdk';
import { chat } from './chat.ts';
import { tell } from './ui.ts';

// so long a press may go unanswered
const PATIENCE_MS = 1000;

const WORDS: Record<string, string> = {
  offline: 'You are offline.',
  timeout: 'The server did not answer in time. Try again.',
  unavailable: 'The server is busy. Try again in a moment.',
  busy: 'The server is busy. Try again in a moment.',
  rate_limited: 'That was a lot at once. Wait a moment.',
  blocked: 'This person cannot be reached.',
  not_allowed: 'You may not do that here.',
  channel_not_found: 'You are not in this conversation any more.',
  message_not_found: 'That message is not there.',
  message_deleted: 'That message was deleted.',
  user_not_found: 'There is nobody of that name.',
  member_not_found: 'That person is not in the group.',
  contact_not_found: 'There is no such request any more.',
  contact_blocked: 'You have blocked this person. Unblock first.',
  contacts_full: 'Your contact list is full.',
  group_full: 'A group holds at most 100 people.',
  too_many_members: 'A group holds at most 100 people.',
  too_many_reactions: 'This message has as many reactions as fit.',
  too_many_edits: 'This message was edited too often.',
  out_of_range: 'That is too long or too short.',
  oneself: 'That does not work with yourself.',
  bad_user: 'An id has 1 to 64 letters, digits or _ . @ + -',
  user_taken: 'That name is taken.',
  user_reserved: 'That name is reserved.',
  wrong_password: 'User or password is wrong.',
  bad_credentials: 'User or password is wrong.',
  account_disabled: 'This account is disabled.',
  token_invalid: 'Your login is not valid any more. Log in again.',
  token_ended: 'You were logged out.',
  token_expired: 'Your login has expired. Log in again.',
  device_removed: 'You were logged out from another device.',
  logged_out: 'You are logged out.',
  token_foreign: 'Your site made this login; manage it there.',
  invite_not_found: 'There is no such invite.',
  invite_expired: 'This invite has expired.',
  invite_revoked: 'This invite was taken back.',
  invite_used_up: 'This invite has been used up.',
  too_many_invites: 'This group has as many invites as fit.',
  no_account: 'This login has no account here.',
  not_found: 'This server does not offer that.',
};

export function wordsFor(error: unknown): string {
  if (!(error instanceof ChatError)) return error instanceof Error ? error.message : String(error);
  const words = WORDS[error.reason];
  if (error.retry_after) return `${words ?? 'Too many attempts.'} Try again in ${Math.ceil(error.retry_after)} s.`;
  if (words) return words;
  if (error.code === 401) return 'User or password is wrong.';
  return error.message || 'Something went wrong.';
}

/** Whether there is no connection, but one to come. */
function waits(): boolean {
  const { status } = chat.state;
  return status === 'connecting' || status === 'waiting';
}

/** Runs it; a failure becomes a note, and so does a wait for the connection.  Whether it went well. */
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<boolean> {
  const late = setTimeout(() => waits() && tell('Done as soon as there is a connection…'), PATIENCE_MS);
  try {
    await action();
    if (done) tell(done);
    return true;
  } catch (error) {
    tell(wordsFor(error), true);
    return false;
  } finally {
    clearTimeout(late);
  }
}
