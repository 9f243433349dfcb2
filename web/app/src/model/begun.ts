// What was begun in the conversations and is neither sent nor saved: answers
// and edits.  It outlives a reload, and ends with the tab, the login or the
// store of the server: in another one the same number is another message.

import type { Message } from '@chat/sdk';
import { chat, state } from './chat.ts';

const KEY = 'chat.begun';
const STORE_KEY = 'chat.store';

export interface Edit {
  message: Message;
  text: string;
  /** on its way: nobody has to go on with it unless that fails */
  saving: boolean;
}

/** What the next message of a conversation answers, while one is elsewhere. */
export const replies = new Map<string, Message>();
/** The edits of each conversation, the one to go on with first at the end. */
const edits = new Map<string, Edit[]>();

const same = (message: Message) => (edit: Edit) => edit.message.message_id === message.message_id;

export function editOf(message: Message): Edit | undefined {
  return edits.get(message.channel)?.find(same(message));
}

/** The edit of a conversation that waits to be gone on with. */
export function editIn(channel: string): Message | null {
  return edits.get(channel)?.findLast((edit) => !edit.saving)?.message ?? null;
}

/** Makes it the one to go on with; a text that changes nothing is no edit. */
export function keepEdit(message: Message, text: string): Edit | undefined {
  dropEdit(message);
  if (text === message.text) return;
  const edit = { message, text, saving: false };
  edits.set(message.channel, [...(edits.get(message.channel) ?? []), edit]);
  return edit;
}

export function dropEdit(message: Message): void {
  edits.set(message.channel, edits.get(message.channel)?.filter((edit) => !same(message)(edit)) ?? []);
}

let user: string | null = null;

/** Another word for each store of the server that this browser has met, for a tab that was away at the change. */
const storeNow = () => localStorage.getItem(STORE_KEY);

/** The page goes, and may come again in a moment. */
export function keepBegun(): void {
  try {
    if (user) sessionStorage.setItem(KEY, JSON.stringify({ user, store: storeNow(), replies: [...replies], edits: [...edits] }));
  } catch {
    // storage full, or none
  }
}

function restore(): void {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? '{}');
    sessionStorage.removeItem(KEY);
    if (kept.user !== user || (kept.store ?? null) !== storeNow()) return;
    for (const [channel, message] of kept.replies) replies.set(channel, message);
    // what was on its way may not have arrived
    for (const [channel, list] of kept.edits) edits.set(channel, list.map((edit: Edit) => ({ ...edit, saving: false })));
  } catch {
    // nothing was kept
  }
}

function forget(): void {
  replies.clear();
  edits.clear();
}

// not at the event: what is kept shows before the tab that leads has told anything
state.subscribe((next) => {
  // who comes back to find himself logged out may be somebody else
  if (next.user === user && (user || next.status !== 'signed_out')) return;
  forget();
  user = next.user;
  restore();
});

chat.on('reset', () => {
  forget();
  try {
    // once, whatever the number of tabs
    if (chat.state.leader) localStorage.setItem(STORE_KEY, String(Date.now()));
  } catch {
    // storage full, or none
  }
});
