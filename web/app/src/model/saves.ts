// Texts of edits on their way to the server: of each message one after the
// other, so that the one that was saved last is the one that stays.

import type { Message } from '@chat/sdk';
import { chat } from './chat.ts';

interface Save {
  /** what was saved last */
  text: string;
}

const saves = new Map<string, Save>();
const keyOf = ({ channel, message_id }: Message) => `${channel} ${message_id}`;

/** Whether an earlier text is on its way: this one goes after it, or in its place. */
export function replaces(message: Message, text: string): boolean {
  const save = saves.get(keyOf(message));
  if (save) save.text = text;
  return !!save;
}

// in another store it would change another message
chat.on('reset', () => saves.clear());

/** Resolves, with the message, when the text saved last is there; what was put back before it could go does not go. */
export async function deliver(message: Message, text: string): Promise<Message> {
  const key = keyOf(message);
  const save = { text };
  saves.set(key, save);
  try {
    // unknown while nobody can say whether one has arrived
    let there: Message | undefined = message;
    while (save.text !== there?.text && saves.get(key) === save) {
      const next = save.text;
      try {
        // what waits for a connection can still be taken back, a call cannot
        if (chat.state.status !== 'online') await chat.call('ping', {});
        if (save.text !== next || saves.get(key) !== save) continue;
        there = undefined;
        there = await chat.edit(message.channel, message.message_id, next);
      } catch (error) {
        if (save.text === next) throw error;
      }
    }
    return there ?? message;
  } finally {
    if (saves.get(key) === save) saves.delete(key);
  }
}
