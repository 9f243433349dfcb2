// Contacts: requests first, then friends, then whom one has blocked.

import type { Contact } from '@chat/sdk';
import { useState } from 'preact/hooks';
import { talkTo } from '../model/actions.ts';
import { chat, contacts, presenceOf, profileOf } from '../model/chat.ts';
import { attempt } from '../model/errors.ts';
import { nameOf } from '../model/names.ts';
import { minute } from '../model/now.ts';
import { openUser } from '../model/ui.ts';
import { safeName } from '../text/safe_name.ts';
import { lastActive } from '../text/time.ts';
import { UserAvatar } from './avatar.tsx';
import { Icon } from './icon.tsx';
import { PeopleResults } from './people_results.tsx';

export function Contacts() {
  const [query, setQuery] = useState('');
  const of = (state: Contact['state']) => contacts.value.filter((c) => c.state === state).map((c) => c.user);
  const friends = of('friend').sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  return (
    <div class="page">
      <header class="page-head">
        <h1 tabIndex={-1}>Contacts</h1>
      </header>
      <div class="search in-page">
        <Icon name="search" />
        <input type="search" class="search-input" placeholder="Find people" aria-label="Find people" dir="auto" maxLength={64}
          value={query} onInput={(e) => setQuery(e.currentTarget.value)} />
      </div>
      {query.trim() && <PeopleResults query={query.trim()} onPick={openUser} />}
      <Group title="Requests to you" users={of('incoming')} row={Incoming} />
      <Group title="Friends" users={friends} row={Friend} />
      <Group title="You asked" users={of('requested')} row={Requested} />
      <Group title="Blocked" users={of('blocked')} row={Blocked} />
      {contacts.value.length === 0 && !query && <p class="soft pad">Nobody yet. Find people by name above and send a request.</p>}
    </div>
  );
}

type Row = (props: { user: string }) => preact.JSX.Element;

function Group({ title, users, row: Row }: { title: string; users: string[]; row: Row }) {
  if (users.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2 class="section-title">
        {title} <span class="soft">{users.length}</span>
      </h2>
      <ul class="card">
        {users.map((user) => (
          <li key={user} class="contact-row">
            <Row user={user} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Person({ user, line }: { user: string; line: string }) {
  const name = nameOf(user);
  return (
    <button type="button" class="contact-person grow" onClick={() => openUser(user)}>
      <UserAvatar user={user} />
      <span class="contact-text">
        <span class="one-line">
          <bdi>{name}</bdi> {name !== user && <span class="soft">@{user}</span>}
        </span>
        <span class="soft one-line" dir="auto">
          {line}
        </span>
      </span>
    </button>
  );
}

type ContactMethod = 'contact.accept' | 'contact.decline' | 'contact.remove' | 'contact.unblock';

function Act({ method, user, label, primary }: { method: ContactMethod; user: string; label: string; primary?: boolean }) {
  return (
    <button
      type="button"
      class={primary ? 'button primary small' : 'button small'}
      aria-label={`${label} ${nameOf(user)}`}
      onClick={() => void attempt(() => chat.call(method, { user })).then(stay)}
    >
      {label}
    </button>
  );
}

/** The row with the button that had the focus goes: the keyboard stays on the page. */
function stay(): void {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body) document.querySelector<HTMLElement>('.page-head h1')?.focus();
  });
}

function Friend({ user }: { user: string }) {
  void minute.value;
  const presence = presenceOf(user);
  const status = safeName(profileOf(user)?.status, '');
  const activity = presence?.online ? 'online' : lastActive(presence?.last_active_at);
  return (
    <>
      <Person user={user} line={status || activity} />
      <button type="button" class="icon-button" aria-label={`Message ${nameOf(user)}`} title="Message" onClick={() => talkTo(user)}>
        <Icon name="chats" />
      </button>
    </>
  );
}

function Incoming({ user }: { user: string }) {
  return (
    <>
      <Person user={user} line="would like to be your contact" />
      <Act method="contact.decline" user={user} label="Decline" />
      <Act method="contact.accept" user={user} label="Accept" primary />
    </>
  );
}

function Requested({ user }: { user: string }) {
  return (
    <>
      <Person user={user} line="has not answered yet" />
      <Act method="contact.remove" user={user} label="Withdraw" />
    </>
  );
}

function Blocked({ user }: { user: string }) {
  return (
    <>
      <Person user={user} line="cannot write to you" />
      <Act method="contact.unblock" user={user} label="Unblock" />
    </>
  );
}
