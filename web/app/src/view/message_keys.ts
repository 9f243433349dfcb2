// Keys on a message that has the focus.

import { canDelete, canEdit, copyText } from '../model/actions.ts';
import { chat } from '../model/chat.ts';
import { loadedMessage, startEdit, startReply } from '../model/conversation.ts';
import { openDialog } from '../model/ui.ts';

export function moveAmongMessages(e: KeyboardEvent): void {
  const row = e.target as HTMLElement;
  if (e.ctrlKey || e.metaKey || e.altKey || row.getAttribute('role') !== 'article') return;
  const id = Number(row.dataset['id']);
  if (!onKey(e.key, id, row)) return;
  e.preventDefault();
  e.stopPropagation();
}

function onKey(key: string, id: number, row: HTMLElement): boolean {
  if (key === 'ArrowUp' || key === 'ArrowDown') return focusMessage(id + (key === 'ArrowUp' ? -1 : 1), row);
  const message = loadedMessage(id);
  if (!message) return false;
  if (key === 'r') startReply(message);
  else if (key === 'e' && canEdit(message)) startEdit(message);
  else if (key === 'c') void copyText(message.text ?? '');
  else if ((key === 'Delete' || key === 'Backspace') && canDelete(message, chat.channel(message.channel)))
    openDialog({ kind: 'delete-message', channel: message.channel, message: id });
  else if (key === '+') row.querySelector<HTMLElement>('[aria-label="React"]')?.click();
  else return false;
  return true;
}

/** Gives a drawn message the focus. */
export function focusMessage(id: number, near: ParentNode): boolean {
  const root = near instanceof Element ? near.closest('.history')! : near;
  const row = root.querySelector<HTMLElement>(`[data-id="${id}"]`);
  row?.focus();
  row?.scrollIntoView({ block: 'nearest' });
  return !!row;
}

/** From the composer up into the messages. */
export function focusLastMessage(): boolean {
  const rows = document.querySelectorAll<HTMLElement>('.history [role=article]');
  rows[rows.length - 1]?.focus();
  return rows.length > 0;
}
