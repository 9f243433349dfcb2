// A button that opens the emoji; the list itself is fetched when it is first wanted.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icon.tsx';
import { later } from './later.tsx';
import { Popup } from './popup.tsx';

const EmojiPicker = later(() => import('./emoji_picker.tsx').then((m) => m.EmojiPicker));

interface EmojiButtonProps {
  label: string;
  onPick: (emoji: string) => void;
  /** offered first, in a row */
  quick?: readonly string[];
  onOpen?: (open: boolean) => void;
}

export function EmojiButton({ label, onPick, quick, onOpen }: EmojiButtonProps) {
  const [open, setOpen] = useState(false);
  const [whole, setWhole] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  const show = (wanted: boolean) => {
    setOpen(wanted);
    setWhole(wanted && !quick);
    onOpen?.(wanted);
  };
  const pick = (emoji: string) => {
    show(false);
    button.current?.focus();
    onPick(emoji);
  };

  useEffect(() => {
    if (!open) return;
    const outside = (e: Event) => {
      if (!root.current?.contains(e.target as Node)) show(false);
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);

  return (
    <div
      class="emoji-anchor"
      ref={root}
      onFocusOut={(e) => {
        if (open && e.relatedTarget && !root.current?.contains(e.relatedTarget as Node)) show(false);
      }}
      onKeyDown={(e) => {
        if (e.key !== 'Escape' || !open) return;
        e.stopPropagation();
        show(false);
        button.current?.focus();
      }}
    >
      <button type="button" ref={button} class="icon-button" aria-label={label} title={label} aria-expanded={open} onClick={() => show(!open)}>
        <Icon name="emoji" />
      </button>
      {open && !whole && quick && (
        <Popup key="quick" anchor={button} above class="quick-emoji" role="group" label={label}>
          {quick.map((emoji, i) => (
            <button type="button" key={emoji} class="emoji" aria-label={`${label} ${emoji}`} data-first={i === 0 || undefined} onClick={() => pick(emoji)}>
              {emoji}
            </button>
          ))}
          <button type="button" class="icon-button" aria-label="More emoji" onClick={() => setWhole(true)}>
            <Icon name="plus" />
          </button>
        </Popup>
      )}
      {open && whole && (
        <Popup key="whole" anchor={button} above>
          <EmojiPicker onPick={pick} />
        </Popup>
      )}
    </div>
  );
}
