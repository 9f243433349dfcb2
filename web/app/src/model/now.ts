// Time passes while nothing happens: what speaks of it is drawn anew.

import { signal } from '@preact/signals';
import { dayOf, serverNow } from '../text/time.ts';

/** Another number each minute. */
export const minute = signal(0);
/** Another number each day. */
export const today = signal(0);

export function look(): void {
  const now = serverNow();
  minute.value = Math.floor(now / 60_000);
  today.value = dayOf(now);
}

export function startTime(): void {
  look();
  setInterval(look, 20_000);
  // timers of a page nobody sees are late, and stand while the machine sleeps
  document.addEventListener('visibilitychange', look);
}
