// What moves the view of a conversation: sizes that become known, the first
// unread message, jumps, what one sends, the return of the reader.

import type { Timeline } from '@chat/sdk';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Scroller } from '../lib/scroller.ts';
import { endWished, flashed, jump, open, paged } from '../model/conversation.ts';
import { attempt } from '../model/errors.ts';

export function useRowSizes(scroller: Scroller, update: () => void): ResizeObserver {
  const latest = useRef(update);
  latest.current = update;
  const observer = useRef<ResizeObserver>(undefined);
  observer.current ??= new ResizeObserver((entries) => {
    const sizes: [number, number][] = [];
    for (const { target, borderBoxSize } of entries) {
      const id = Number((target as HTMLElement).dataset['id']);
      if (target.isConnected) sizes.push([id, borderBoxSize[0]!.blockSize]);
    }
    scroller.measured(sizes);
    latest.current();
  });
  useEffect(() => {
    // the view itself changes size, too: a keyboard opens, a window is turned
    const frame = new ResizeObserver(() => {
      scroller.settle();
      latest.current();
    });
    if (scroller.element) frame.observe(scroller.element);
    return () => {
      frame.disconnect();
      observer.current?.disconnect();
    };
  }, []);
  return observer.current;
}

/** Opens at the first unread message when there are more of them than one sees. */
export function useBeginning(timeline: Timeline, scroller: Scroller, update: () => void): void {
  const latest = useRef(update);
  latest.current = update;
  useEffect(() => {
    let given = false;
    const { newFrom = 0 } = open.peek() ?? {};
    void (async () => {
      if (jump.peek()) return;
      await timeline.newest();
      const newest = timeline.messages.at(-1)?.message_id ?? 0;
      if (given || !newFrom || newest - newFrom < 8 || jump.peek()) return;
      if ((timeline.messages[0]?.message_id ?? 0) > newFrom) await timeline.around(newFrom);
      if (given) return;
      scroller.span(newest, newFrom);
      scroller.pinTo(newFrom, 0.2);
      latest.current();
    })()
      .catch(() => {
        // offline: what is cached is shown, the rest comes with the connection
      })
      .finally(() => {
        scroller.begun = true;
        if (!given) latest.current();
      });
    return () => {
      given = true;
    };
  }, [timeline]);
}

/** What one sends oneself is seen at once. */
export function useEnd(scroller: Scroller, update: () => void): void {
  const wish = endWished.value;
  useLayoutEffect(() => {
    if (!wish) return;
    scroller.toEnd();
    update();
  }, [wish]);
}

/** Scrolled from the field below, which keeps the focus. */
export function usePages(timeline: Timeline, scroller: Scroller): void {
  const wish = paged.value;
  const done = useRef(wish);
  useLayoutEffect(() => {
    const { element } = scroller;
    const screens = wish - done.current;
    done.current = wish;
    if (!element || screens === 0) return;
    scroller.unpin();
    element.scrollTop += screens * element.clientHeight * 0.85;
    // before the event says so: the next drawing would bring back the end
    scroller.scrolled(timeline.has_after);
  }, [wish]);
}

export function useJumps(timeline: Timeline, scroller: Scroller, update: () => void): void {
  const latest = useRef(update);
  latest.current = update;
  const wanted = jump.value;
  useEffect(() => {
    if (!wanted) return;
    let given = false;
    const there = () => timeline.messages.some((m) => m.message_id === wanted.id);
    void (async () => {
      if (!there() && !(await attempt(() => timeline.around(wanted.id)))) return;
      if (given) return;
      scroller.span(Math.max(scroller.newest, wanted.id), wanted.id);
      scroller.pinTo(wanted.id, 0.35);
      latest.current();
      flashed.value = wanted.id;
      setTimeout(() => flashed.value === wanted.id && (flashed.value = 0), 2200);
    })();
    return () => {
      given = true;
    };
  }, [wanted, timeline]);
}

export function useReadOnReturn(update: () => void): void {
  const latest = useRef(update);
  latest.current = update;
  useEffect(() => {
    const back = () => latest.current();
    addEventListener('focus', back);
    document.addEventListener('visibilitychange', back);
    return () => {
      removeEventListener('focus', back);
      document.removeEventListener('visibilitychange', back);
    };
  }, []);
}
