// A group: its name, members and roles, invites, leaving.

import type { ChannelState, MemberState, Role } from '@chat/sdk';
import { useState } from 'preact/hooks';
import { canManage, leave, roleIn } from '../model/actions.ts';
import { channelOf, chat, limitOf, me } from '../model/chat.ts';
import { attempt } from '../model/errors.ts';
import { channelName, nameOf, nameOrYou } from '../model/names.ts';
import { openDialog, openUser } from '../model/ui.ts';
import { countPoints } from '../text/points.ts';
import { Avatar, UserAvatar } from './avatar.tsx';
import { Confirm, Dialog, focus } from './dialog.tsx';
import { Icon } from './icon.tsx';
import { Invites } from './invites.tsx';
import { Menu, type MenuItem } from './menu.tsx';

export function ChannelDialog({ channel: id, onClose }: { channel: string; onClose: () => void }) {
  const channel = channelOf(id);
  const [leaving, setLeaving] = useState(false);
  const [asked, ask] = useState<Question | null>(null);
  if (!channel) return null;
  const manage = canManage(channel);
  const full = channel.members.length >= limitOf('group_members');
  return (
    <Dialog title="Group" onClose={onClose}>
      <div class="profile">
        <Avatar id={id} name={channelName(channel)} size="large" />
        {manage ? <NameForm channel={channel} /> : <h3 class="profile-name"><bdi>{channelName(channel)}</bdi></h3>}
      </div>
      <h3 class="section-title">
        Members <span class="soft">{channel.members.length} of {limitOf('group_members')}</span>
      </h3>
      {manage && (
        <button type="button" class="person-row" disabled={full} onClick={() => openDialog({ kind: 'add-members', channel: id })}>
          <span class="round-icon">
            <Icon name="plus" />
          </span>
          {full ? 'The group is full' : 'Add people'}
        </button>
      )}
      <ul class="members">
        {channel.members.map((member) => (
          <Member key={member.user} channel={channel} member={member} ask={ask} />
        ))}
      </ul>
      {manage && <Invites channel={id} />}
      <div class="dialog-actions">
        {leaving ? (
          <button
            type="button"
            class="button danger"
            ref={focus}
            onClick={() => {
              onClose();
              leave(id);
            }}
          >
            Leave this group
          </button>
        ) : (
          <button type="button" class="button danger-text" onClick={() => setLeaving(true)}>
            Leave
          </button>
        )}
      </div>
      {asked && <Ask channel={id} {...asked} onClose={() => ask(null)} />}
    </Dialog>
  );
}

/** What is asked first: the one it is done to need not let one undo it. */
interface Question {
  what: 'remove' | 'owner';
  user: string;
}

function Ask({ channel, what, user, onClose }: Question & { channel: string; onClose: () => void }) {
  if (what === 'owner')
    return (
      <Confirm title={`Make ${nameOf(user)} an owner?`} action="Make owner" danger onClose={onClose} onConfirm={() => setRole(channel, user, 'owner')}>
        An owner may do all that you may: also take your role away, or remove you.
      </Confirm>
    );
  const remove = () => void attempt(() => chat.call('channel.remove', { channel, users: [user] }));
  return (
    <Confirm title={`Remove ${nameOf(user)}?`} action="Remove" danger onClose={onClose} onConfirm={remove}>
      Who is removed does not see what is written from now on.
    </Confirm>
  );
}

function NameForm({ channel }: { channel: ChannelState }) {
  const [name, setName] = useState(channel.name ?? '');
  const points = countPoints(name.trim());
  const unchanged = name.trim() === (channel.name ?? '');
  const changed = !unchanged && points > 0 && points <= limitOf('name_chars');
  const save = (e: Event) => {
    e.preventDefault();
    if (changed) void attempt(() => chat.call('channel.update', { channel: channel.channel, name: name.trim() }), 'Saved');
  };
  return (
    <>
      <form class="name-form" data-unchanged={unchanged || undefined} onSubmit={save}>
        <input class="input" aria-label="Name of the group" dir="auto" value={name} onInput={(e) => setName(e.currentTarget.value)} />
        <button type="submit" class="button" disabled={!changed}>
          Rename
        </button>
      </form>
      {points > limitOf('name_chars') && <p class="form-problem">At most {limitOf('name_chars')} characters.</p>}
    </>
  );
}

interface MemberProps {
  channel: ChannelState;
  member: MemberState;
  ask: (question: Question) => void;
}

function Member({ channel, member, ask }: MemberProps) {
  const items = itemsOf(channel, member, ask);
  const name = nameOf(member.user);
  return (
    <li class="member">
      <button type="button" class="person-row grow" onClick={() => openUser(member.user)}>
        <UserAvatar user={member.user} size="small" />
        <span class="one-line">
          <bdi>{nameOrYou(member.user)}</bdi>
        </span>
        {name !== member.user && <span class="soft one-line">@{member.user}</span>}
      </button>
      {member.role !== 'member' && <span class="role">{member.role}</span>}
      {items.length > 0 && <Menu label={`Manage ${name}`} items={items} />}
    </li>
  );
}

/** What one may do with a member: the server's rules, so that nothing is offered in vain. */
function itemsOf(channel: ChannelState, { user, role }: MemberState, ask: (question: Question) => void): MenuItem[] {
  const own = roleIn(channel, me());
  const items: MenuItem[] = [];
  if (user === me()) return items;
  const give = (label: string, to: Role) => items.push({ label, onSelect: () => setRole(channel.channel, user, to) });
  if (own === 'owner') {
    if (role !== 'owner') items.push({ label: 'Make owner', onSelect: () => ask({ what: 'owner', user }) });
    if (role !== 'admin') give('Make admin', 'admin');
    if (role !== 'member') give('Make plain member', 'member');
  }
  if (own === 'owner' || (own === 'admin' && role === 'member')) {
    items.push({ label: 'Remove', danger: true, onSelect: () => ask({ what: 'remove', user }) });
  }
  return items;
}

function setRole(channel: string, user: string, role: Role): void {
  void attempt(() => chat.call('channel.role', { channel, user, role }));
}
