// People of the server whose id or name begins with what was typed.

import { presenceOf } from '../model/chat.ts';
import { nameOf } from '../model/names.ts';
import { useUserSearch } from './use_user_search.ts';
import { UserAvatar } from './avatar.tsx';

interface PeopleResultsProps {
  query: string;
  onPick: (user: string) => void;
  heading?: string;
  leaveOut?: readonly string[];
}

export function PeopleResults({ query, onPick, heading = 'People', leaveOut = [] }: PeopleResultsProps) {
  const { users, busy, problem } = useUserSearch(query);
  const shown = users.filter((user) => !leaveOut.includes(user));
  return (
    <section class="people-results" aria-label={heading} aria-busy={busy}>
      <h2 class="section-title">{heading}</h2>
      <ul>
        {shown.map((user) => (
          <PersonRow key={user} user={user} onPick={onPick} />
        ))}
      </ul>
      {shown.length === 0 && <p class="soft pad">{busy ? 'Searching…' : problem || 'Nobody of that name.'}</p>}
    </section>
  );
}

export function PersonRow({ user, onPick }: { user: string; onPick: (user: string) => void }) {
  const name = nameOf(user);
  return (
    <li>
      <button type="button" class="person-row" onClick={() => onPick(user)}>
        <UserAvatar user={user} size="small" />
        <span class="one-line">
          <bdi>{name}</bdi>
        </span>
        {name !== user && <span class="soft one-line">@{user}</span>}
        {presenceOf(user)?.online && <span class="hidden-text">online</span>}
      </button>
    </li>
  );
}
