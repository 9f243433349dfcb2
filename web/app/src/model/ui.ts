// What lies over the page: one dialog at a time, and short notes at its edge.

import { signal } from '@preact/signals';

export type DialogState =
  | { kind: 'user'; user: string }
  | { kind: 'channel'; channel: string }
  | { kind: 'new-chat' }
  | { kind: 'new-group' }
  | { kind: 'add-members'; channel: string }
  | { kind: 'message-info'; channel: string; message: number }
  | { kind: 'delete-message'; channel: string; message: number }
  | { kind: 'jump'; channel: string }
  | { kind: 'shortcuts' }
  | { kind: 'delete-account' }
  | { kind: 'password' };

export const dialog = signal<DialogState | null>(null);
export const openDialog = (state: DialogState) => (dialog.value = state);
export const closeDialog = () => (dialog.value = null);
export const openUser = (user: string) => openDialog({ kind: 'user', user });

export interface Note {
  id: number;
  text: string;
  bad: boolean;
  action?: { label: string; run: () => void };
}

export const notes = signal<Note[]>([]);
/** How many modal dialogs are open: what is outside of them can be neither pressed nor heard. */
export const modals = signal(0);
let nextNote = 1;

/** A line that goes away by itself. */
export function tell(text: string, bad = false): void {
  const note = { id: nextNote++, text, bad };
  notes.value = [...notes.value.slice(-2), note];
  setTimeout(() => dismiss(note.id), bad ? 8000 : 4000);
}

export function dismiss(id: number): void {
  notes.value = notes.value.filter((n) => n.id !== id);
}

/** A line that stays until one acts on it or sends it away; a second of the same words becomes it, focus and all. */
export function offer(text: string, label: string, run: () => void): void {
  const before = notes.value.find((n) => n.text === text);
  const note = { id: before?.id ?? nextNote++, text, bad: false, action: { label, run } };
  notes.value = before ? notes.value.map((n) => (n === before ? note : n)) : [...notes.value, note];
}

/** What a screen reader says next, without moving the focus. */
export const announcement = signal('');

export function announce(text: string): void {
  // the same words twice are said twice
  announcement.value = announcement.value === text ? text + '\u00a0' : text;
}
