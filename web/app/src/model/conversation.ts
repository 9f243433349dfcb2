// The conversation that is open: its timeline, and what one is about to do in it.

import type { Message, Timeline } from '@chat/sdk';
import { signal } from '@preact/signals';
import { chat, me } from './chat.ts';
import { edits, moveDraft, replies } from './drafts.ts';

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
  editing.value = edits.get(key)?.message ?? null;
}

/** The first message to somebody has made the channel: the conversation goes on in it, with what is being written. */
export function nowChannel(to: string, channel: string): void {
  const key = `to:${to}`;
  moveDraft(key, channel);
  if (open.value?.key === key) open.value = { ...open.value, key: channel };
}

export function closeConversation(): void {
  // one that closes because of a log-out leaves nothing to whoever comes next
  if (open.value && replyTo.value && me()) replies.set(open.value.key, replyTo.value);
  else if (open.value) replies.delete(open.value.key);
  ended?.();
  ended = undefined;
  open.value?.timeline.close();
  open.value = null;
  replyTo.value = null;
  editing.value = null;
  active.value = 0;
  jump.value = null;
}

/** What the editor of a message shows: what one had changed it to already. */
export function editedText(message: Message): string {
  const begun = edits.get(message.channel);
  return (begun?.message.message_id === message.message_id ? begun.text : message.text) ?? '';
}

export function keepEdit(message: Message, text: string): void {
  edits.set(message.channel, { message, text });
}

/** Leaves the editor; what was typed in it is given up, or on its way. */
export function endEdit(): void {
  if (editing.value) edits.delete(editing.value.channel);
  editing.value = null;
}

/** What could not be saved is not lost: the editor has it, now or when one is back. */
export function editAgain(message: Message, text: string): void {
  if (edits.has(message.channel)) return;
  keepEdit(message, text);
  if (open.value?.key === message.channel) editing.value = message;
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
