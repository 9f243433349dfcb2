// What somebody sees who follows an invite: the group, and whether to join it.

import type { InvitePreview } from '@chat/sdk';
import { useEffect, useState } from 'preact/hooks';
import { attempt, wordsFor } from '../model/errors.ts';
import { getInvitation, join } from '../model/invites.ts';
import { go } from '../model/route.ts';
import { safeName } from '../text/safe_name.ts';
import { Avatar } from './avatar.tsx';
import { Dialog } from './dialog.tsx';

export function JoinDialog({ invite }: { invite: string }) {
  const [found, setFound] = useState<InvitePreview | null>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    getInvitation(invite).then(setFound, (error) => setProblem(wordsFor(error)));
  }, [invite]);
  const close = () => go({ section: 'chats' }, true);
  const enter = () =>
    void attempt(async () => {
      const channel = await join(invite);
      go({ section: 'chats', channel }, true);
    });
  const name = safeName(found?.name, 'Group');
  return (
    <Dialog title="Invite" onClose={close}>
      <div class="profile" aria-live="polite">
        {found && <Avatar id={invite} name={name} size="large" />}
        {found && (
          <h3 class="profile-name">
            <bdi>{name}</bdi>
          </h3>
        )}
        <p class="soft">{problem || (found ? `${found.members} ${found.members === 1 ? 'member' : 'members'}` : 'Loading…')}</p>
      </div>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={close}>
          {problem ? 'Close' : 'Not now'}
        </button>
        {found && (
          <button type="button" class="button primary" data-first onClick={enter}>
            Join the group
          </button>
        )}
      </div>
    </Dialog>
  );
}
