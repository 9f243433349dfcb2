// A button with a menu at it: arrows move, Escape and a click elsewhere close.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icon.tsx';
import { Popup } from './popup.tsx';

export interface MenuItem {
  label: string;
  icon?: IconName;
  danger?: boolean;
  onSelect: () => void;
}

interface MenuProps {
  label: string;
  icon?: IconName;
  items: MenuItem[];
  class?: string;
}

export function Menu({ label, icon = 'more', items, class: extra }: MenuProps) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  const close = (focus: boolean) => {
    setOpen(false);
    if (focus) button.current?.focus();
  };

  useEffect(() => {
    if (!open) return;
    const outside = (e: Event) => {
      if (!root.current?.contains(e.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);

  return (
    <div class={`menu ${extra ?? ''}`} ref={root} onKeyDown={(e) => open && moveInMenu(e, root.current!, close)}>
      <button
        type="button"
        ref={button}
        class="icon-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name={icon} />
      </button>
      {open && (
        <Popup anchor={button} class="menu-list" role="menu" label={label}>
          {items.map((item, i) => (
            <button
              type="button"
              role="menuitem"
              key={item.label}
              data-first={i === 0 || undefined}
              class={item.danger ? 'menu-item danger' : 'menu-item'}
              onClick={() => {
                close(true);
                item.onSelect();
              }}
            >
              {item.icon && <Icon name={item.icon} />}
              {item.label}
            </button>
          ))}
        </Popup>
      )}
    </div>
  );
}

function moveInMenu(e: KeyboardEvent, root: HTMLElement, close: (focus: boolean) => void): void {
  const items = [...root.querySelectorAll<HTMLElement>('[role=menuitem]')];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const steps: Record<string, number> = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: (at - 1 + items.length) % items.length,
    Home: 0,
    End: items.length - 1,
  };
  if (e.key === 'Escape') close(true);
  else if (e.key === 'Tab') return close(false);
  else if (e.key in steps) items[steps[e.key]!]?.focus();
  else return;
  e.preventDefault();
  e.stopPropagation();
}
