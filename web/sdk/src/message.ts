// Two views of one message: which one is the newer, and what a reaction does.
import type { Message, MessageReactedEvent, Reaction } from './protocol.ts';

/** A deletion is final, an edit beats what was before; of equals the one that came last. */
export function newer(old: Message | null | undefined, came: Message): Message {
  if (!old || old.message_id < came.message_id) return came;
  if (old.message_id > came.message_id) return old;
  if (old.deleted_at && !came.deleted_at) return old;
  return !came.deleted_at && (old.edited_at ?? 0) > (came.edited_at ?? 0) ? old : came;
}

export function reacted(message: Message, { emoji, user, removed }: MessageReactedEvent): Message {
  if (message.deleted_at) return message;
  const reactions: Reaction[] = [];
  let found = false;
  for (const reaction of message.reactions ?? []) {
    const users = reaction.users.filter((u) => u !== user || reaction.emoji !== emoji);
    if (reaction.emoji === emoji && !removed) {
      found = true;
      reactions.push(reaction.users.includes(user) ? reaction : { emoji, users: [...users, user] });
    } else if (users.length) {
      reactions.push(users.length === reaction.users.length ? reaction : { emoji: reaction.emoji, users });
    }
  }
  if (!found && !removed) reactions.push({ emoji, users: [user] });
  const { reactions: _, ...rest } = message;
  return reactions.length ? { ...rest, reactions } : rest;
}
