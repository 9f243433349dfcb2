// One's own name and status.

import type { User } from '@chat/sdk';
import { useEffect, useState } from 'preact/hooks';
import { chat, limitOf } from '../model/chat.ts';
import { attempt } from '../model/errors.ts';
import { countPoints } from '../text/points.ts';

export function ProfileForm({ profile, onDone }: { profile: User | undefined; onDone?: () => void }) {
  const [name, setName] = useState(profile?.display_name ?? '');
  const [status, setStatus] = useState(profile?.status ?? '');
  useEffect(() => {
    setName(profile?.display_name ?? '');
    setStatus(profile?.status ?? '');
  }, [profile?.display_name, profile?.status]);
  const limit = limitOf('name_chars');
  const tooLong = countPoints(name) > limit || countPoints(status) > limit;
  const save = async (e: Event) => {
    e.preventDefault();
    const update = { display_name: name.trim(), status: status.trim() };
    if (await attempt(() => chat.call('user.update', update), 'Saved')) onDone?.();
  };
  return (
    <form class="form" onSubmit={save}>
      <label class="field">
        Your name
        <input class="input" name="display_name" dir="auto" value={name} onInput={(e) => setName(e.currentTarget.value)} />
      </label>
      <label class="field">
        Status
        <input class="input" name="status" dir="auto" placeholder="What are you up to?" value={status} onInput={(e) => setStatus(e.currentTarget.value)} />
      </label>
      {tooLong && <p class="form-problem">At most {limit} characters.</p>}
      <div class="dialog-actions">
        <button type="submit" class="button primary" disabled={tooLong}>
          Save
        </button>
      </div>
    </form>
  );
}
