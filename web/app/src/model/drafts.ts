// What was typed and not sent: a text for each conversation, which outlives
// the page and ends with the login.

import { signal } from '@preact/signals';
import { chat, me } from './chat.ts';

const KEY = 'chat.draft.';
const kept = new Map<string, string>();

/** Counts what other tabs did to them. */
export const draftsElsewhere = signal(0);

// no user id has a space
const prefixOf = (user: string) => `${KEY}${user} `;
const keyOf = (channel: string) => prefixOf(me()) + channel;

export function draftOf(channel: string): string {
  const key = keyOf(channel);
  const here = kept.get(key);
  if (here !== undefined) return here;
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

export function keepDraft(channel: string, text: string): void {
  const key = keyOf(channel);
  kept.set(key, text);
  try {
    if (text) localStorage.setItem(key, text.slice(0, 200_000));
    else localStorage.removeItem(key);
  } catch {
    // storage full: it stays in memory
  }
}

/** The conversation has another key now. */
export function moveDraft(from: string, to: string): void {
  const text = draftOf(from);
  if (!text) return;
  keepDraft(to, text);
  keepDraft(from, '');
}

function forget(user: string): void {
  kept.clear();
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(prefixOf(user))) localStorage.removeItem(key);
  } catch {
    // nothing was kept there
  }
}

addEventListener('storage', ({ key }) => {
  if (!key?.startsWith(KEY)) return;
  kept.delete(key);
  draftsElsewhere.value++;
});

let user: string | null = null;

// when all that is kept of a user goes, by whatever log-out, these go, too
chat.on('state', (next) => {
  if (user && next.user !== user) forget(user);
  user = next.user;
});
