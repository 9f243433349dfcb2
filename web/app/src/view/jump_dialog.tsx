// To the first message of a day.

import { useState } from 'preact/hooks';
import { jumpTo, open } from '../model/conversation.ts';
import { attempt } from '../model/errors.ts';
import { tell } from '../model/ui.ts';
import { dateInput, serverNow } from '../text/time.ts';
import { Dialog } from './dialog.tsx';

function today(): string {
  const d = new Date(serverNow());
  const two = (n: number) => String(n).padStart(2, '0');
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

export function JumpDialog({ onClose }: { onClose: () => void }) {
  const [value, setValue] = useState(today());
  const go = async (e: Event) => {
    e.preventDefault();
    const time = dateInput(value);
    const timeline = open.value?.timeline;
    if (time === undefined || !timeline) return;
    onClose();
    await attempt(async () => {
      const id = await timeline.date(time);
      if (id) jumpTo(id);
      else tell('Nothing was written on that day or later.');
    });
  };
  return (
    <Dialog title="Go to a date" onClose={onClose}>
      <form class="form" onSubmit={go}>
        <label class="field">
          Date
          <input class="input" type="date" data-first required max={today()} value={value} onInput={(e) => setValue(e.currentTarget.value)} />
        </label>
        <div class="dialog-actions">
          <button type="submit" class="button primary">
            Go
          </button>
        </div>
      </form>
    </Dialog>
  );
}
