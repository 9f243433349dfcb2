// The browser's own modal dialog: it keeps the focus inside, makes the rest
// inert, closes with Escape and gives the focus back.

import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { modals } from '../model/ui.ts';
import { Icon } from './icon.tsx';
import { Notes } from './notes.tsx';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
}

export function Dialog({ title, onClose, children, wide }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  const typed = useRef(new Set<HTMLFormElement>());
  useEffect(() => {
    const before = document.activeElement;
    const dialog = element.current!;
    dialog.showModal();
    modals.value++;
    dialog.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => {
      dialog.close();
      modals.value--;
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
      // the browser does not always ask before it closes one at Escape; one that is gone
      // says so too late, when another may be open
      onClose={() => element.current && onClose()}
      onInput={(e) => {
        const { form } = e.target as HTMLInputElement;
        if (form) typed.current.add(form);
      }}
      // a press beside it may be a mistake, which takes nothing away that was typed; a form
      // that stays when it is saved says by data-unchanged that it holds no more than is known
      onMouseDown={(e) => {
        const kept = [...typed.current].every((form) => !form.isConnected || form.hasAttribute('data-unchanged'));
        if (e.target === element.current && kept) onClose();
      }}
    >
      <div class="dialog-box">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="icon-button" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        <div class="dialog-body">{children}</div>
      </div>
      <Notes />
    </dialog>
  );
}

/** For what takes the place of the button that was pressed: the focus goes on to it. */
export function focus(element: HTMLElement | null): void {
  element?.focus();
}

interface ConfirmProps {
  title: string;
  children: ComponentChildren;
  action: string;
  danger?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ title, children, action, danger, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="dialog-text">{children}</div>
      <div class="dialog-actions">
        <button type="button" class="button" data-first onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class={danger ? 'button danger' : 'button primary'}
          onClick={() => {
            onClose();
            onConfirm();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
