// Links by which others join a group.

import type { Invite } from '@chat/sdk';
import { useEffect, useState } from 'preact/hooks';
import { copyText } from '../model/actions.ts';
import { attempt } from '../model/errors.ts';
import { createInvite, listInvites, revokeInvite } from '../model/invites.ts';
import { shortDate } from '../text/time.ts';
import { Icon } from './icon.tsx';
import { useBusy } from './use_busy.ts';

const WEEK_S = 7 * 24 * 3600;

export function Invites({ channel }: { channel: string }) {
  const [invites, setInvites] = useState<Invite[] | null>(null);
  const load = () =>
    listInvites(channel).then(setInvites, () => {
      // a server without invites, or no connection: nothing to show
    });
  useEffect(() => void load(), [channel]);
  const [busy, run] = useBusy();
  if (!invites) return null;
  const make = () => void run(() => attempt(() => createInvite(channel, WEEK_S)).then(load));
  return (
    <section aria-label="Invite links">
      <h3 class="section-title">Invite links</h3>
      <ul>
        {invites.map((invite) => (
          <li key={invite.invite} class="member">
            <Icon name="link" />
            <span class="grow one-line soft">
              {invite.uses} joined{invite.expires_at ? `, until ${shortDate(invite.expires_at)}` : ''}
            </span>
            <button type="button" class="button small" onClick={() => void copyText(linkOf(invite.invite))}>
              Copy link
            </button>
            <button
              type="button"
              class="button small danger-text"
              onClick={() => void attempt(() => revokeInvite(channel, invite.invite)).then(load)}
            >
              Revoke
            </button>
          </li>
        ))}
      </ul>
      <button type="button" class="person-row" disabled={busy} onClick={make}>
        <span class="round-icon">
          <Icon name="link" />
        </span>
        Make a link that is good for a week
      </button>
    </section>
  );
}

function linkOf(invite: string): string {
  return `${location.origin}${location.pathname}#/join/${invite}`;
}
