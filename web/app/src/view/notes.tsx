// Short notes at the edge of the page, and the voice of screen readers.

import { announcement, dismiss, notes } from '../model/ui.ts';
import { Icon } from './icon.tsx';

export function Notes() {
  return (
    <div class="notes" role="status">
      {notes.value.map((note) => (
        <div key={note.id} class={note.bad ? 'note bad' : 'note'}>
          <span class="grow">{note.text}</span>
          {note.action && (
            <button type="button" class="text-button" onClick={note.action.run}>
              {note.action.label}
            </button>
          )}
          <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => dismiss(note.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}

export function LiveRegion() {
  return (
    <div class="hidden-text" aria-live="polite" role="log" aria-label="New messages">
      {announcement.value}
    </div>
  );
}
