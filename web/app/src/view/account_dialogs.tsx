// The dialogs of an account.

import { useState } from 'preact/hooks';
import { deleteAccount } from '../model/account.ts';
import { chat, me } from '../model/chat.ts';
import { wordsFor } from '../model/errors.ts';
import { tell } from '../model/ui.ts';
import { Dialog } from './dialog.tsx';
import { useBusy } from './use_busy.ts';

interface PasswordInputProps {
  label: string;
  value: string;
  fresh?: boolean;
  first?: boolean;
  onChange: (value: string) => void;
}

function PasswordInput({ label, value, fresh, first, onChange }: PasswordInputProps) {
  return (
    <label class="field">
      <span>
        {label} {fresh && <span class="soft">(at least 8 characters)</span>}
      </span>
      <input class="input" type="password" required autoComplete={fresh ? 'new-password' : 'current-password'}
        {...(first ? { 'data-first': true } : {})} value={value} onInput={(e) => onChange(e.currentTarget.value)} />
    </label>
  );
}

export function DeleteAccount({ onClose }: { onClose: () => void }) {
  const [password, setPassword] = useState('');
  const [erase, setErase] = useState(false);
  const [problem, setProblem] = useState('');
  const [busy, run] = useBusy();
  const submit = async () => {
    try {
      await deleteAccount(password, erase);
      onClose();
    } catch (error) {
      setProblem(wordsFor(error));
    }
  };
  return (
    <Dialog title="Delete the account?" onClose={onClose}>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          void run(submit);
        }}
      >
        <p>
          Your profile, contacts and devices go for good, and nobody can take the name <bdi>@{me()}</bdi> again.
        </p>
        <label class="switch-row">
          <span class="grow">Delete what I wrote, too</span>
          <input type="checkbox" role="switch" class="switch" checked={erase} onChange={(e) => setErase(e.currentTarget.checked)} />
        </label>
        <PasswordInput label="Your password" first value={password} onChange={setPassword} />
        <p class="form-problem" role="alert">
          {problem}
        </p>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button danger" disabled={busy || !password}>
            Delete for good
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function ChangePassword({ onClose }: { onClose: () => void }) {
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, run] = useBusy();
  const submit = async () => {
    if (new TextEncoder().encode(next).length < 8) return setProblem('A password has at least 8 characters.');
    try {
      await chat.changePassword(old, next);
      tell('Password changed. Your other devices are logged out.');
      onClose();
    } catch (error) {
      setProblem(wordsFor(error));
    }
  };
  return (
    <Dialog title="Change the password" onClose={onClose}>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          void run(submit);
        }}
      >
        <PasswordInput label="Password now" first value={old} onChange={setOld} />
        <PasswordInput label="New password" fresh value={next} onChange={setNext} />
        <p class="form-problem" role="alert">
          {problem}
        </p>
        <div class="dialog-actions">
          <button type="submit" class="button primary" disabled={busy || !old || !next}>
            Change
          </button>
        </div>
      </form>
    </Dialog>
  );
}
