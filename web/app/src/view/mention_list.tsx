// Completion of @names while one writes.

import { useEffect, useState } from 'preact/hooks';
import { me } from '../model/chat.ts';
import { nameOf } from '../model/names.ts';
import { UserAvatar } from './avatar.tsx';

const SHOWN = 6;

interface Query {
  /** where the @ stands */
  from: number;
  word: string;
}

/** The word with @ that ends at the cursor. */
export function mentionQuery(text: string, cursor: number): Query | null {
  const before = text.slice(Math.max(0, cursor - 66), cursor);
  const match = /(?:^|[\s(])@([\p{L}\p{N}_.+-]{0,64})$/u.exec(before);
  return match ? { from: cursor - match[1]!.length - 1, word: match[1]! } : null;
}

export interface Mentions {
  users: string[];
  current: string | undefined;
  pick: (user: string) => void;
  /** Whether it took the key. */
  onKey: (e: KeyboardEvent) => boolean;
}

export function useMentions(query: Query | null, members: readonly string[], pick: (user: string) => void): Mentions {
  const [at, setAt] = useState(0);
  const [closed, setClosed] = useState('');
  const key = query ? `${query.from} ${query.word}` : '';
  useEffect(() => setAt(0), [key]);
  const users = query && closed !== `${query.from}` ? matching(query.word, members) : [];
  const current = users[Math.min(at, users.length - 1)];

  const onKey = (e: KeyboardEvent): boolean => {
    if (users.length === 0) return false;
    if (e.key === 'ArrowDown') setAt((at + 1) % users.length);
    else if (e.key === 'ArrowUp') setAt((at - 1 + users.length) % users.length);
    else if (e.key === 'Enter' || e.key === 'Tab') pick(current!);
    else if (e.key === 'Escape') setClosed(`${query!.from}`);
    else return false;
    e.preventDefault();
    e.stopPropagation();
    return true;
  };
  return { users, current, pick, onKey };
}

function matching(word: string, members: readonly string[]): string[] {
  const lower = word.toLocaleLowerCase();
  const fits = (user: string) =>
    user.toLowerCase().startsWith(lower) ||
    nameOf(user).toLocaleLowerCase().split(' ').some((part) => part.startsWith(lower));
  return members.filter((user) => user !== me() && fits(user)).slice(0, SHOWN);
}

export function MentionList({ mention }: { mention: Mentions }) {
  if (mention.users.length === 0) return null;
  return (
    <ul class="mention-list" role="listbox" id="mention-list" aria-label="People to mention">
      {mention.users.map((user) => (
        <li
          key={user}
          id={`mention-${user}`}
          role="option"
          aria-selected={user === mention.current}
          class={user === mention.current ? 'mention-option current' : 'mention-option'}
          onPointerDown={(e) => {
            e.preventDefault();
            mention.pick(user);
          }}
        >
          <UserAvatar user={user} size="small" />
          <bdi>{nameOf(user)}</bdi>
          <span class="soft one-line">@{user}</span>
        </li>
      ))}
    </ul>
  );
}
