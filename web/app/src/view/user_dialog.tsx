// A profile; one's own can be changed here.

import type { ContactState } from '@chat/sdk';
import { useEffect, useState } from 'preact/hooks';
import { talkTo } from '../model/actions.ts';
import { chat, contacts, me, presenceOf, profileOf } from '../model/chat.ts';
import { attempt } from '../model/errors.ts';
import { nameOf } from '../model/names.ts';
import { minute } from '../model/now.ts';
import { isSuspicious, safeName } from '../text/safe_name.ts';
import { lastActive } from '../text/time.ts';
import { UserAvatar } from './avatar.tsx';
import { Dialog, focus } from './dialog.tsx';
import { ProfileForm } from './profile_form.tsx';

export function UserDialog({ user, onClose }: { user: string; onClose: () => void }) {
  void minute.value;
  useEffect(() => chat.watch([user]), [user]);
  const own = user === me();
  const profile = profileOf(user);
  const presence = presenceOf(user);
  const status = safeName(profile?.status, '');
  return (
    <Dialog title={own ? 'Your profile' : 'Profile'} onClose={onClose}>
      <div class="profile">
        <UserAvatar user={user} size="large" />
        <h3 class="profile-name">
          <bdi>{nameOf(user)}</bdi>
        </h3>
        <p class="soft">
          <bdi>@{user}</bdi>
          {!own && <span> · {presence?.online ? 'online' : lastActive(presence?.last_active_at)}</span>}
        </p>
        {isSuspicious(profile?.display_name) && <p class="soft small">The name has invisible characters, which are not shown.</p>}
        {status && !own && <p dir="auto">{status}</p>}
      </div>
      {own ? <ProfileForm profile={profile} onDone={onClose} /> : <Actions user={user} onClose={onClose} />}
    </Dialog>
  );
}

function Actions({ user, onClose }: { user: string; onClose: () => void }) {
  const [sure, setSure] = useState(false);
  const state = contacts.value.find((c) => c.user === user)?.state ?? 'none';
  const act = (method: Act) => void attempt(() => chat.call(method, { user }));
  return (
    <div class="profile-actions">
      {state !== 'blocked' && (
        <button
          type="button"
          class="button primary"
          data-first
          onClick={() => {
            onClose();
            talkTo(user);
          }}
        >
          Message
        </button>
      )}
      {NEXT[state].map(({ label, method }) => (
        <button type="button" class="button" key={label} onClick={() => act(method)}>
          {label}
        </button>
      ))}
      {state !== 'blocked' && !sure && (
        <button type="button" class="button danger-text" onClick={() => setSure(true)}>
          Block
        </button>
      )}
      {state !== 'blocked' && sure && (
        <button type="button" class="button danger" ref={focus} onClick={() => act('contact.block')}>
          Block: no messages, no presence
        </button>
      )}
    </div>
  );
}

type Act = 'contact.request' | 'contact.accept' | 'contact.decline' | 'contact.remove' | 'contact.block' | 'contact.unblock';

const NEXT: Record<ContactState, { label: string; method: Act }[]> = {
  none: [{ label: 'Add to contacts', method: 'contact.request' }],
  requested: [{ label: 'Withdraw request', method: 'contact.remove' }],
  incoming: [
    { label: 'Accept request', method: 'contact.accept' },
    { label: 'Decline', method: 'contact.decline' },
  ],
  friend: [{ label: 'Remove from contacts', method: 'contact.remove' }],
  blocked: [{ label: 'Unblock', method: 'contact.unblock' }],
};
