// The conversation that is open: its timeline, and what one is about to do in it.

import type { Message, Timeline } from '@chat/sdk';
import { signal } from '@preact/signals';
import { chat, me } from './chat.ts';
import { dropEdit, editIn, editOf, keepBegun, keepEdit, replies } from './begun.ts';
import { draftOf, moveDraft } from './drafts.ts';
import { attempt } from './errors.ts';
import { deliver, replaces } from './saves.ts';

export interface Open {
  /** the channel, or `to:USER` before there is one */
  key: string;
  timeline: Timeline;
  /** the first message that was unread when it was opened, below the line "New"; 0: none */
  newFrom: number;
}

export const open = signal<Open | null>(null);
/** Counts the timeline's changes. */
export const timelineVersion = signal(0);

/** The message that is answered or edited in the composer. */
export const replyTo = signal<Message | null>(null);
export const editing = signal<Message | null>(null);
/** The message with the pointer or the focus: it shows its actions. */
export const active = signal(0);
/** A message to go to; `n` makes the same one twice two jumps. */
export const jump = signal<{ id: number; n: number } | null>(null);
/** One that was just jumped to, for a moment. */
export const flashed = signal(0);
/** Counts the wishes to see the newest message. */
export const endWished = signal(0);
/** How many screens one wished to scroll down so far; less is up. */
export const paged = signal(0);

let ended: (() => void) | undefined;
let jumps = 0;

export function openConversation(where: { channel: string } | { to: string }): void {
  const key = 'channel' in where ? where.channel : `to:${where.to}`;
  if (open.value?.key === key) return;
  closeConversation();
  const timeline = chat.timeline(where);
  ended = timeline.subscribe(() => timelineVersion.value++);
  const channel = 'channel' in where ? chat.channel(where.channel) : undefined;
  open.value = { key, timeline, newFrom: channel && channel.unread > 0 ? channel.read + 1 : 0 };
  replyTo.value = replies.get(key) ?? null;
  editing.value = editIn(key);
}

/** The first message to somebody has made the channel: the conversation goes on in it, with what is being written. */
export function nowChannel(to: string, channel: string): void {
  const key = `to:${to}`;
  moveDraft(key, channel);
  if (open.value?.key === key) open.value = { ...open.value, key: channel };
}

function keepReply(): void {
  // one that closes because of a log-out leaves nothing to whoever comes next
  if (open.value && replyTo.value && me()) replies.set(open.value.key, replyTo.value);
  else if (open.value) replies.delete(open.value.key);
}

addEventListener('pagehide', () => {
  keepReply();
  keepBegun();
});

export function closeConversation(): void {
  keepReply();
  ended?.();
  ended = undefined;
  open.value?.timeline.close();
  open.value = null;
  replyTo.value = null;
  editing.value = null;
  active.value = 0;
  jump.value = null;
}

chat.on('reset', () => {
  replyTo.value = null;
  editing.value = null;
});

/** What the editor of a message shows: what one had changed it to already. */
export function editedText(message: Message): string {
  return editOf(message)?.text ?? message.text ?? '';
}

/** Opens the editor; what one had changed in another message waits until this one is done. */
export function startEdit(message: Message): void {
  keepEdit(message, editedText(message));
  replyTo.value = null;
  editing.value = message;
}

/** The next message answers this one; an edit that was begun waits until then. */
export function startReply(message: Message): void {
  editing.value = null;
  replyTo.value = message;
}

/** Gives up the edit, else the answer. */
export function cancel(): void {
  if (editing.value) dropEdit(editing.value);
  else replyTo.value = null;
  goOn();
}

/** The composer is free: an edit that waits comes back. */
export function goOn(): void {
  editing.value = open.value && editIn(open.value.key);
}

/** The editor closes; what cannot be saved comes back to it. */
export async function saveEdit(message: Message, text: string): Promise<void> {
  const begun = keepEdit(message, text);
  if (begun) begun.saving = true;
  goOn();
  if (replaces(message, text) || !begun) return;
  let now = message;
  const done = await attempt(async () => (now = await deliver(message, text)));
  // taken up again: what is typed there is compared with what was saved
  if (editing.value?.channel === now.channel && editing.value.message_id === now.message_id) editing.value = now;
  const edit = editOf(message);
  if (edit) edit.message = now;
  // gone with the login, or put back
  if (!edit?.saving) return;
  edit.saving = false;
  if (done) dropEdit(message);
  // not into what one is writing now
  else if (open.value?.key === message.channel && !editing.value && !replyTo.value && !draftOf(message.channel)) goOn();
}

export function jumpTo(id: number): void {
  jump.value = { id, n: ++jumps };
}

/** The message if it is among those loaded. */
export function loadedMessage(id: number): Message | undefined {
  void timelineVersion.value;
  const messages = open.value?.timeline.messages ?? [];
  return messages.length ? messages[id - messages[0]!.message_id] : undefined;
}
