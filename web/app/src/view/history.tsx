// The messages of a conversation, of which only those near the view are drawn.

import type { Timeline } from '@chat/sdk';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Scroller } from '../lib/scroller.ts';
import { channelOf, chat, state } from '../model/chat.ts';
import { active, open, timelineVersion } from '../model/conversation.ts';
import { attempt } from '../model/errors.ts';
import { moveAmongMessages } from './message_keys.ts';
import { MessageRow, RowSkeleton } from './message_row.tsx';
import { PendingRows } from './pending_rows.tsx';
import { TypingLine } from './typing_line.tsx';
import { useBeginning, useEnd, useJumps, usePages, useReadOnReturn, useRowSizes } from './use_scroller.ts';
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
  usePages(timeline, scroller);
  useReadOnReturn(update);

  const online = state.value.status === 'online';
  useEffect(() => {
    // it was opened without a connection, and nothing was kept
    if (online && scroller.begun && timeline.messages.length === 0) ignore(timeline.newest());
  }, [online]);

  useLayoutEffect(() => {
    scroller.settle();
    update();
  });

  const { first, last } = scroller.range();
  const seen = scroller.visible().last;
  drawn.current = `${first} ${last}`;
  const messages = timeline.messages;
  const offset = messages[0]?.message_id ?? 0;
  const rows = [];
  for (let id = first; id <= last; id++) {
    const message = messages[id - offset];
    rows.push(
      message ? (
        <MessageRow key={id} message={message} previous={messages[id - offset - 1]} next={messages[id - offset + 1]}
          group={channel?.kind === 'group'} observer={observer} newFrom={open.value?.newFrom ?? 0} entry={id === seen || id === newest} />
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
        {!online && rows.length > 0 && messages.length === 0 && <p class="beginning soft">These messages are shown when you are online.</p>}
        <PendingRows entries={timeline.pending} channel={timeline.channel} last={messages.at(-1)} />
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
  if (!timeline.channel || !scroller.begun || document.visibilityState !== 'visible' || !document.hasFocus()) return;
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
