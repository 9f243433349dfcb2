// The messages of a conversation, of which only those near the view are drawn.

import type { Timeline } from '@chat/sdk';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Scroller } from '../lib/scroller.ts';
import { channelOf, chat } from '../model/chat.ts';
import { active, endWished, flashed, jump, open, timelineVersion } from '../model/conversation.ts';
import { attempt } from '../model/errors.ts';
import { moveAmongMessages } from './message_keys.ts';
import { MessageRow, RowSkeleton } from './message_row.tsx';
import { PendingRows } from './pending_rows.tsx';
import { TypingLine } from './typing_line.tsx';
import { Icon } from './icon.tsx';

const PREFETCH = 30;

export function History({ timeline }: { timeline: Timeline }) {
  void timelineVersion.value;
  const scroller = useRef(new Scroller()).current;
  const [, redraw] = useState(0);
  const [away, setAway] = useState(false);
  const drawn = useRef('');
  const channel = timeline.channel ? channelOf(timeline.channel) : undefined;
  const newest = Math.max(channel?.newest ?? 0, timeline.messages.at(-1)?.message_id ?? 0);
  scroller.span(newest);

  const update = () => {
    const { first, last } = scroller.range();
    if (drawn.current !== `${first} ${last}`) redraw((n) => n + 1);
    setAway(!scroller.stick && scroller.rows > 0 && !nearEnd(scroller));
    load(timeline, scroller);
    markRead(timeline, scroller);
  };

  const observer = useRowSizes(scroller, update);
  useBeginning(timeline, scroller, update);
  useJumps(timeline, scroller, update);
  useEnd(scroller, update);
  useReadOnReturn(update);

  useLayoutEffect(() => {
    scroller.settle();
    update();
  });

  const { first, last } = scroller.range();
  drawn.current = `${first} ${last}`;
  const messages = timeline.messages;
  const offset = messages[0]?.message_id ?? 0;
  const rows = [];
  for (let id = first; id <= last; id++) {
    const message = messages[id - offset];
    rows.push(
      message ? (
        <MessageRow key={id} message={message} previous={messages[id - offset - 1]} next={messages[id - offset + 1]}
          group={channel?.kind === 'group'} observer={observer} readBefore={open.value?.readBefore ?? 0} />
      ) : (
        <RowSkeleton key={id} height={scroller.heightOf(id)} />
      ),
    );
  }

  return (
    <div class="history-frame">
      <div
        class="history"
        ref={scroller.attach}
        onScroll={() => {
          scroller.scrolled(timeline.has_after);
          update();
        }}
        onWheel={() => scroller.unpin()}
        onPointerDown={() => scroller.unpin()}
        onTouchMove={() => scroller.unpin()}
        onPointerLeave={leave}
        onKeyDown={(e) => {
          scroller.unpin();
          moveAmongMessages(e);
        }}
      >
        <div class="history-fill" />
        {rows.length === 0 && timeline.pending.length === 0 && <Beginning loading={timeline.loading !== null} />}
        <div role="feed" aria-label="Messages" aria-busy={timeline.loading !== null}>
          <div style={{ height: `${scroller.above(first)}px` }} />
          {rows}
          <div style={{ height: `${rows.length ? scroller.below(last) : 0}px` }} />
        </div>
        <PendingRows entries={timeline.pending} />
        {timeline.channel && <TypingLine channel={timeline.channel} />}
      </div>
      {away && (
        <button
          type="button"
          class="to-end"
          aria-label={channel?.unread ? `To the newest message, ${channel.unread} unread` : 'To the newest message'}
          onClick={() => void toNewest(timeline, scroller, update)}
        >
          {!!channel?.unread && <span class="badge">{channel.unread}</span>}
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

/** The actions go with the pointer, unless the focus is among them. */
function leave(e: PointerEvent): void {
  const history = e.currentTarget as HTMLElement;
  if (e.pointerType === 'mouse' && !history.contains(document.activeElement)) active.value = 0;
}

function Beginning({ loading }: { loading: boolean }) {
  return <p class="beginning soft">{loading ? 'Loading…' : 'Nothing here yet. Say hello.'}</p>;
}

function nearEnd(scroller: Scroller): boolean {
  const e = scroller.element;
  return !e || e.scrollHeight - e.scrollTop - e.clientHeight < e.clientHeight;
}

/** Fetches what the view needs and the timeline has not. */
function load(timeline: Timeline, scroller: Scroller): void {
  const { messages } = timeline;
  if (timeline.loading !== null || messages.length === 0) return;
  const { first, last } = scroller.visible();
  const oldest = messages[0]!.message_id;
  const newest = messages.at(-1)!.message_id;
  if (last < oldest - PREFETCH || first > newest + PREFETCH) {
    // far off: wait until the scroll bar rests
    const middle = Math.floor((first + last) / 2);
    setTimeout(() => {
      const now = scroller.visible();
      if (timeline.loading === null && now.first <= middle && middle <= now.last) ignore(timeline.around(middle));
    }, 90);
  } else if (first - PREFETCH < oldest && timeline.has_before) ignore(timeline.before());
  else if (last + PREFETCH > newest && timeline.has_after) ignore(timeline.after());
}

/** What is missing stays a placeholder and is asked for at the next move. */
function ignore(promise: Promise<unknown>): void {
  promise.catch(() => {});
}

function markRead(timeline: Timeline, scroller: Scroller): void {
  if (!timeline.channel || document.visibilityState !== 'visible' || !document.hasFocus()) return;
  const newest = timeline.messages.at(-1)?.message_id ?? 0;
  const seen = Math.min(scroller.stick ? newest : scroller.visible().last, newest);
  const channel = chat.channel(timeline.channel);
  if (channel && seen > channel.read) chat.read(timeline.channel, seen);
}

async function toNewest(timeline: Timeline, scroller: Scroller, update: () => void): Promise<void> {
  if (timeline.has_after) await attempt(() => timeline.newest());
  scroller.toEnd();
  update();
}

function useRowSizes(scroller: Scroller, update: () => void): ResizeObserver {
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
function useBeginning(timeline: Timeline, scroller: Scroller, update: () => void): void {
  const latest = useRef(update);
  latest.current = update;
  useEffect(() => {
    let given = false;
    const { readBefore = 0 } = open.peek() ?? {};
    void (async () => {
      if (jump.peek()) return;
      await timeline.newest();
      const newest = timeline.messages.at(-1)?.message_id ?? 0;
      if (given || !readBefore || newest - readBefore < 8 || jump.peek()) return;
      if ((timeline.messages[0]?.message_id ?? 0) > readBefore + 1) await timeline.around(readBefore + 1);
      if (given) return;
      scroller.span(newest, readBefore + 1);
      scroller.pinTo(readBefore + 1, 0.2);
      latest.current();
    })().catch(() => {
      // offline: what is cached is shown, the rest comes with the connection
    });
    return () => {
      given = true;
    };
  }, [timeline]);
}

/** What one sends oneself is seen at once. */
function useEnd(scroller: Scroller, update: () => void): void {
  const wish = endWished.value;
  useLayoutEffect(() => {
    if (!wish) return;
    scroller.toEnd();
    update();
  }, [wish]);
}

function useJumps(timeline: Timeline, scroller: Scroller, update: () => void): void {
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

function useReadOnReturn(update: () => void): void {
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
