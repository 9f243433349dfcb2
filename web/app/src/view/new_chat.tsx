// Finds the person to talk to.

import { useState } from 'preact/hooks';
import { talkTo } from '../model/actions.ts';
import { contacts, me } from '../model/chat.ts';
import { openDialog } from '../model/ui.ts';
import { Dialog } from './dialog.tsx';
import { Icon } from './icon.tsx';
import { PeopleResults, PersonRow } from './people_results.tsx';
import { pressFirst } from './press_first.ts';

export function NewChat({ onClose }: { onClose: () => void }) {
  const [query, setQuery] = useState('');
  const pick = (user: string) => {
    onClose();
    talkTo(user);
  };
  const friends = contacts.value.filter((c) => c.state === 'friend').slice(0, 50);
  return (
    <Dialog title="New chat" onClose={onClose}>
      <input class="input" type="search" data-first placeholder="Name or user name" aria-label="Name or user name" dir="auto" maxLength={64}
        value={query} onInput={(e) => setQuery(e.currentTarget.value)} onKeyDown={(e) => pressFirst(e, 'dialog .people-results')} />
      {query.trim() ? (
        <PeopleResults query={query.trim()} onPick={pick} />
      ) : (
        <>
          <ul class="choices">
            <li>
              <button type="button" class="person-row" onClick={() => openDialog({ kind: 'new-group' })}>
                <span class="round-icon">
                  <Icon name="group" />
                </span>
                New group
              </button>
            </li>
            <li>
              <button type="button" class="person-row" onClick={() => pick(me())}>
                <span class="round-icon">
                  <Icon name="edit" />
                </span>
                Notes to yourself
              </button>
            </li>
          </ul>
          {friends.length > 0 && <h3 class="section-title">Friends</h3>}
          <ul>
            {friends.map(({ user }) => (
              <PersonRow key={user} user={user} onPick={pick} />
            ))}
          </ul>
        </>
      )}
    </Dialog>
  );
}
