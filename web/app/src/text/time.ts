// Dates as people say them.  "Today" is the server's today: a device whose
// clock is a day off shows what everybody else sees.

let skew = 0;

/** Tells the server's clock, in milliseconds since the epoch. */
export function setServerTime(time: number): void {
  skew = time - Date.now();
}

export function serverNow(): number {
  return Date.now() + skew;
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const weekdayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const shortWeekdayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'long' });
const yearFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const shortFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const shortYearFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

export const clock = (time: number) => clockFormat.format(time);
export const fullTime = (time: number) => fullFormat.format(time);

/** The same number for every moment of one day here. */
export function dayOf(time: number): number {
  const d = new Date(time);
  return Math.round((Date.UTC(d.getFullYear(), d.getMonth(), d.getDate())) / 86_400_000);
}

/** The line above the messages of a day. */
export function dayLabel(time: number, now = serverNow()): string {
  const ago = dayOf(now) - dayOf(time);
  if (ago === 0) return 'Today';
  if (ago === 1) return 'Yesterday';
  if (ago > 1 && ago < 7) return weekdayFormat.format(time);
  return sameYear(time, now) ? dayFormat.format(time) : yearFormat.format(time);
}

/** The few letters beside a conversation in the list. */
export function listTime(time: number, now = serverNow()): string {
  const ago = dayOf(now) - dayOf(time);
  if (ago === 0) return clock(time);
  if (ago === 1) return 'Yesterday';
  if (ago > 1 && ago < 7) return shortWeekdayFormat.format(time);
  return sameYear(time, now) ? shortFormat.format(time) : shortYearFormat.format(time);
}

/** "online", "active 5 minutes ago". */
export function lastActive(time: number | null | undefined, now = serverNow()): string {
  if (!time) return 'offline';
  const minutes = Math.max(0, Math.floor((now - time) / 60_000));
  if (minutes < 1) return 'active just now';
  if (minutes < 60) return `active ${minutes} min ago`;
  if (minutes < 24 * 60) return `active ${Math.floor(minutes / 60)} h ago`;
  return `active ${listTime(time, now)}`;
}

function sameYear(a: number, b: number): boolean {
  return new Date(a).getFullYear() === new Date(b).getFullYear();
}

/** Local midnight of a date input's value (YYYY-MM-DD), or undefined. */
export function dateInput(value: string): number | undefined {
  const m = /^(\d{4})-(\d{2})-(\d{2})$/.exec(value);
  return m ? new Date(+m[1]!, +m[2]! - 1, +m[3]!).getTime() : undefined;
}

export const shortDate = (time: number) => shortYearFormat.format(time);
