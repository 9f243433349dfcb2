// One's own name and status.

import type { User } from '@chat/sdk';
import { useState } from 'preact/hooks';
import { chat, limitOf } from '../model/chat.ts';
import { attempt } from '../model/errors.ts';
import { countPoints } from '../text/points.ts';

interface Texts {
  display_name?: string;
  status?: string;
}

export function ProfileForm({ profile, onDone }: { profile: User | undefined; onDone?: () => void }) {
  // what was typed stays when the profile arrives later; what was not is not sent
  const [typed, setTyped] = useState<Texts>({});
  const known = { display_name: profile?.display_name ?? '', status: profile?.status ?? '' };
  const { display_name, status } = { ...known, ...typed };
  const limit = limitOf('name_chars');
  const tooLong = countPoints(display_name) > limit || countPoints(status) > limit;
  const update = changes(known, typed);
  const unchanged = Object.keys(update).length === 0;
  const save = async (e: Event) => {
    e.preventDefault();
    if (!(await attempt(() => chat.call('user.update', update), 'Saved'))) return;
    setTyped({});
    onDone?.();
  };
  return (
    <form class="form" data-unchanged={unchanged || undefined} onSubmit={save}>
      <label class="field">
        Your name
        <input class="input" name="display_name" dir="auto" value={display_name}
          onInput={(e) => setTyped({ ...typed, display_name: e.currentTarget.value })} />
      </label>
      <label class="field">
        Status
        <input class="input" name="status" dir="auto" placeholder="What are you up to?" value={status}
          onInput={(e) => setTyped({ ...typed, status: e.currentTarget.value })} />
      </label>
      {tooLong && <p class="form-problem">At most {limit} characters.</p>}
      <div class="dialog-actions">
        <button type="submit" class="button primary" disabled={tooLong || unchanged}>
          Save
        </button>
      </div>
    </form>
  );
}

/** The texts that are others than those known. */
function changes(known: Required<Texts>, typed: Texts): Texts {
  const changed: Texts = {};
  for (const name of ['display_name', 'status'] as const) {
    const text = typed[name]?.trim();
    if (text !== undefined && text !== known[name]) changed[name] = text;
  }
  return changed;
}
