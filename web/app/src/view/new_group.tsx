// Making a group, and adding to one.

import { useState } from 'preact/hooks';
import { channelOf, chat, contacts, limitOf, me } from '../model/chat.ts';
import { attempt } from '../model/errors.ts';
import { nameOf } from '../model/names.ts';
import { openChannel } from '../model/route.ts';
import { countPoints } from '../text/points.ts';
import { Dialog } from './dialog.tsx';
import { Icon } from './icon.tsx';
import { PeopleResults, PersonRow } from './people_results.tsx';
import { pressFirst } from './press_first.ts';
import { useBusy } from './use_busy.ts';
import { useKept } from './use_kept.ts';

export function NewGroup({ onClose }: { onClose: () => void }) {
  const [name, setName] = useKept('group.name', '');
  const [users, setUsers] = useKept<string[]>('group.users', []);
  const points = countPoints(name.trim());
  const room = limitOf('group_members') - 1 - users.length;
  const [busy, run] = useBusy();
  const create = async () => {
    let made = '';
    const done = await attempt(async () => {
      made = (await chat.call('channel.create', { name: name.trim(), members: users })).channel.channel;
    });
    if (!done) return;
    setName('');
    setUsers([]);
    onClose();
    openChannel(made);
  };
  return (
    <Dialog title="New group" onClose={onClose}>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          void run(create);
        }}
      >
        <label class="field">
          Name of the group
          <input class="input" data-first name="group" dir="auto" value={name} onInput={(e) => setName(e.currentTarget.value)} />
        </label>
        {points > limitOf('name_chars') && <p class="form-problem">At most {limitOf('name_chars')} characters.</p>}
        <Chooser users={users} onChange={setUsers} room={room} leaveOut={[me()]} />
        <div class="dialog-actions">
          <button type="submit" class="button primary" disabled={busy || points === 0 || points > limitOf('name_chars') || room < 0}>
            Make the group
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function AddMembers({ channel: id, onClose }: { channel: string; onClose: () => void }) {
  const channel = channelOf(id);
  const [users, setUsers] = useState<string[]>([]);
  const members = channel?.members.map((m) => m.user) ?? [];
  const room = limitOf('group_members') - members.length - users.length;
  const [busy, run] = useBusy();
  const add = async () => {
    if (await attempt(() => chat.call('channel.add', { channel: id, users }))) onClose();
  };
  return (
    <Dialog title="Add people" onClose={onClose}>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          void run(add);
        }}
      >
        <Chooser users={users} onChange={setUsers} room={room} leaveOut={members} />
        <div class="dialog-actions">
          <button type="submit" class="button primary" disabled={busy || users.length === 0 || room < 0}>
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface ChooserProps {
  users: string[];
  onChange: (users: string[]) => void;
  /** how many more fit */
  room: number;
  leaveOut: string[];
}

function Chooser({ users, onChange, room, leaveOut }: ChooserProps) {
  const [query, setQuery] = useState('');
  const out = [...leaveOut, ...users];
  const friends = contacts.value.filter((c) => c.state === 'friend' && !out.includes(c.user)).map((c) => c.user);
  const pick = (user: string) => {
    setQuery('');
    onChange([...users, user]);
  };
  return (
    <div>
      <ul class="chips" aria-label="Chosen">
        {users.map((user) => (
          <li key={user} class="chip">
            <bdi>{nameOf(user)}</bdi>
            <button type="button" aria-label={`Take ${nameOf(user)} out`} onClick={() => onChange(users.filter((u) => u !== user))}>
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      <p class={room < 10 ? 'soft small' : 'hidden-text'} aria-live="polite">
        {room > 0 ? `Room for ${room} more` : 'The group is full'}
      </p>
      <input class="input" type="search" placeholder="Find people" aria-label="Find people" dir="auto" maxLength={64} disabled={room <= 0}
        value={query} onInput={(e) => setQuery(e.currentTarget.value)} onKeyDown={(e) => pressFirst(e, 'dialog .people-results')} />
      <div class="chooser-list">
        {query.trim() ? (
          <PeopleResults query={query.trim()} onPick={pick} leaveOut={out} />
        ) : (
          <ul>
            {room > 0 && friends.slice(0, 100).map((user) => <PersonRow key={user} user={user} onPick={pick} />)}
          </ul>
        )}
      </div>
    </div>
  );
}
