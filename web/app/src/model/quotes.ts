// Messages that are quoted but lie outside the timeline's window.

import type { Message } from '@chat/sdk';
import { signal } from '@preact/signals';
import { chat } from './chat.ts';

const found = signal<ReadonlyMap<string, Message>>(new Map());
const asked = new Set<string>();

export function quoted(channel: string, id: number): Message | undefined {
  return found.value.get(`${channel} ${id}`);
}

export async function fetchQuoted(channel: string, id: number): Promise<void> {
  const key = `${channel} ${id}`;
  if (asked.has(key)) return;
  asked.add(key);
  try {
    const { message } = await chat.call('message.get', { channel, message_id: id });
    found.value = new Map(found.value).set(key, message);
  } catch {
    // offline, mostly: the next drawing asks again
    asked.delete(key);
  }
}

let user: string | null = null;

// what one user was shown is not for the next
chat.on('state', (next) => {
  if (next.user === user) return;
  user = next.user;
  found.value = new Map();
  asked.clear();
});

for (const change of ['message.edited', 'message.deleted'] as const) {
  chat.on(change, ({ message }) => {
    const key = `${message.channel} ${message.message_id}`;
    if (found.value.has(key)) found.value = new Map(found.value).set(key, message);
  });
}
