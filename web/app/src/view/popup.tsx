// What opens at a button: above everything that scrolls or cuts off, below the
// button or above it, whole inside the window.

import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

interface PopupProps {
  anchor: RefObject<HTMLElement | null>;
  children: ComponentChildren;
  class?: string;
  /** where it opens if there is room on both sides */
  above?: boolean;
  role?: 'menu' | 'group';
  label?: string;
}

/** Gives the focus to what has data-first in it. */
export function Popup({ anchor, children, class: extra, above = false, role, label }: PopupProps) {
  const panel = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = panel.current!;
    const put = () => anchor.current && place(element, anchor.current, above);
    // a browser without popovers shows it as well, but cut off where something scrolls
    element.showPopover?.();
    put();
    element.querySelector<HTMLElement>('[data-first]')?.focus({ preventScroll: true });
    const sizes = new ResizeObserver(put);
    sizes.observe(element);
    addEventListener('resize', put);
    addEventListener('scroll', put, true);
    return () => {
      sizes.disconnect();
      removeEventListener('resize', put);
      removeEventListener('scroll', put, true);
    };
  }, []);
  return (
    <div ref={panel} popover="manual" class={`popup ${extra ?? ''}`} role={role} aria-label={label}>
      {children}
    </div>
  );
}

const GAP = 5;
const EDGE = 8;

function place(element: HTMLElement, anchor: HTMLElement, above: boolean): void {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = element;
  const inside = (wanted: number, size: number, room: number) => Math.max(EDGE, Math.min(wanted, room - EDGE - size));
  const over = at.top - GAP - height;
  const under = at.bottom + GAP;
  const goesOver = over >= EDGE && (above || under + height > innerHeight - EDGE);
  const left = at.left + at.width / 2 > innerWidth / 2 ? at.right - width : at.left;
  element.style.top = `${inside(goesOver ? over : under, height, innerHeight)}px`;
  element.style.left = `${inside(left, width, innerWidth)}px`;
}
