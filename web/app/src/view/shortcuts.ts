// Keys that work everywhere.

import { useLayoutEffect } from 'preact/hooks';
import { channelList } from '../model/chat.ts';
import { openChannel, openSection, route } from '../model/route.ts';
import { settings } from '../model/settings.ts';
import { dialog, openDialog } from '../model/ui.ts';

export const SHORTCUTS: [keys: string, what: string][] = [
  ['?', 'This list'],
  ['/', 'Search people and chats'],
  ['n', 'New chat'],
  ['g', 'New group'],
  ['Alt ↑ / Alt ↓', 'Conversation above, below'],
  ['1 · 2 · 3', 'Chats, contacts, settings'],
  ['Enter', 'Send'],
  ['Shift Enter', 'New line'],
  ['↑ in an empty field', 'Edit your last message'],
  ['Page ↑ / Page ↓', 'Scroll the messages'],
  ['Shift Tab from the field', 'To the messages'],
  ['↑ ↓ on a message', 'Message above, below'],
  ['r · e · c · + · Delete', 'Reply, edit, copy, react, delete'],
  ['Esc', 'Close, cancel, back to the field'],
];

export function useShortcuts(): void {
  // a key may be pressed as soon as the page is seen
  useLayoutEffect(() => {
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function onKey(e: KeyboardEvent): void {
  // one that is on its way counts, and so does a question, which is none of the page's
  if (e.defaultPrevented || dialog.value || document.querySelector('dialog[open]') || e.isComposing) return;
  if (e.altKey && (e.key === 'ArrowUp' || e.key === 'ArrowDown')) {
    e.preventDefault();
    return neighbour(e.key === 'ArrowUp' ? -1 : 1);
  }
  if (e.key === 'Escape') return focusField();
  if (!settings.value.shortcuts || typing(e.target) || e.ctrlKey || e.metaKey || e.altKey) return;
  const act = KEYS[e.key];
  if (!act) return;
  e.preventDefault();
  act();
}

const KEYS: Record<string, () => void> = {
  '?': () => openDialog({ kind: 'shortcuts' }),
  '/': () => {
    openSection('chats');
    requestAnimationFrame(() => document.getElementById('search')?.focus());
  },
  n: () => openDialog({ kind: 'new-chat' }),
  g: () => openDialog({ kind: 'new-group' }),
  '1': () => openSection('chats'),
  '2': () => openSection('contacts'),
  '3': () => openSection('settings'),
};

function neighbour(step: number): void {
  const channels = channelList.value;
  const at = channels.findIndex((c) => c.channel === route.value.channel);
  const next = channels[at < 0 ? 0 : at + step];
  if (next) openChannel(next.channel);
}

/** To where one writes. */
export function focusField(): void {
  document.querySelector<HTMLElement>('.composer-field')?.focus();
}
