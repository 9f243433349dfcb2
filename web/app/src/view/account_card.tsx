// Password, export, log-out, end of the account.

import { useState } from 'preact/hooks';
import { exportAccount, logout } from '../model/account.ts';
import { outbox } from '../model/chat.ts';
import { attempt } from '../model/errors.ts';
import { siteToken } from '../model/site_token.ts';
import { openDialog } from '../model/ui.ts';
import { Confirm } from './dialog.tsx';
import { Icon } from './icon.tsx';
import { useBusy } from './use_busy.ts';

export function AccountCard() {
  const [asking, setAsking] = useState(false);
  const [busy, run] = useBusy();
  const waiting = outbox.value.length;
  const leave = () => (waiting ? setAsking(true) : void attempt(logout));
  return (
    <section aria-label="Account">
      <h2 class="section-title">Account</h2>
      <div class="card">
        {!siteToken() && (
          <button type="button" class="row-button" onClick={() => openDialog({ kind: 'password' })}>
            <Icon name="edit" /> Change the password
          </button>
        )}
        <button type="button" class="row-button" disabled={busy} onClick={() => void run(() => attempt(exportAccount))}>
          <Icon name="download" /> {busy ? 'Exporting…' : 'Export my data'}
        </button>
        <button type="button" class="row-button" onClick={leave}>
          <Icon name="leave" /> Log out
        </button>
        {!siteToken() && (
          <button type="button" class="row-button danger" onClick={() => openDialog({ kind: 'delete-account' })}>
            <Icon name="trash" /> Delete the account
          </button>
        )}
      </div>
      {asking && (
        <Confirm title="Log out now?" action="Log out" danger onClose={() => setAsking(false)} onConfirm={() => void attempt(logout)}>
          {waiting === 1 ? 'A message has' : `${waiting} messages have`} not been sent yet and would be lost.
        </Confirm>
      )}
    </section>
  );
}
