// One message: the line of its day above it where one begins, bubble, marks.

import type { Message } from '@chat/sdk';
import { memo } from 'preact/compat';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { me } from '../model/chat.ts';
import { active, flashed } from '../model/conversation.ts';
import { nameOf, nameOrYou } from '../model/names.ts';
import { today } from '../model/now.ts';
import { clock, dayLabel, dayOf, fullTime } from '../text/time.ts';
import { UserAvatar } from './avatar.tsx';
import { MarkIcon } from './mark_icon.tsx';
import { MessageActions } from './message_actions.tsx';
import { Quote } from './quote.tsx';
import { Reactions } from './reactions.tsx';
import { TextBody } from './text_body.tsx';
import { openUser } from '../model/ui.ts';

const TOGETHER_MS = 5 * 60_000;

interface RowProps {
  message: Message;
  previous: Message | undefined;
  next: Message | undefined;
  group: boolean;
  newFrom: number;
  /** the keyboard comes in here */
  entry: boolean;
  observer: ResizeObserver;
}

type Sent = Pick<Message, 'sender' | 'sent_at'>;

/** Whether two neighbours stand in one block of bubbles. */
export function together(a: Sent | undefined, b: Sent | undefined): boolean {
  return !!a && !!b && a.sender === b.sender && b.sent_at - a.sent_at < TOGETHER_MS && dayOf(a.sent_at) === dayOf(b.sent_at);
}

export const MessageRow = memo(({ message, previous, next, group, newFrom, entry, observer }: RowProps) => {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const row = element.current!;
    observer.observe(row);
    return () => observer.unobserve(row);
  }, []);

  const id = message.message_id;
  const mine = message.sender === me();
  const newDay = !previous ? id === 1 : dayOf(previous.sent_at) !== dayOf(message.sent_at);
  const firstUnread = id === newFrom;
  const starts = firstUnread || !together(previous, message);
  const ends = !together(message, next);
  const classes = `message ${mine ? 'mine' : 'theirs'} ${starts ? 'starts' : ''} ${ends ? 'ends' : ''} ${flashed.value === id ? 'flash' : ''}`;

  return (
    <div
      ref={element}
      class={classes}
      role="article"
      tabIndex={entry ? 0 : -1}
      data-id={id}
      aria-posinset={id}
      aria-setsize={-1}
      aria-label={labelOf(message)}
      onPointerEnter={(e) => e.pointerType === 'mouse' && !menuOpen(e.currentTarget) && (active.value = id)}
      onClick={() => (active.value = id)}
      onFocusCapture={() => (active.value = id)}
    >
      {newDay && <Day time={message.sent_at} />}
      {firstUnread && <div class="new-line">New</div>}
      <div class="message-line">
        {group && !mine && (ends ? <Face user={message.sender} /> : <span class="avatar-gap" />)}
        <div class="bubble-column">
          <div class="bubble">
            {group && !mine && starts && (
              <div class="sender">
                <bdi>{nameOf(message.sender)}</bdi>
              </div>
            )}
            {message.reply_to !== undefined && !message.deleted_at && <Quote channel={message.channel} id={message.reply_to} />}
            <div class="body" dir="auto">
              {message.deleted_at ? (
                <span class="text deleted">This message was deleted</span>
              ) : (
                <TextBody text={message.text ?? ''} mentions={message.mentions} />
              )}
              <Meta message={message} mine={mine} />
            </div>
          </div>
          <Reactions message={message} />
        </div>
        <MessageActions message={message} />
      </div>
    </div>
  );
});

function Day({ time }: { time: number }) {
  void today.value;
  return (
    <div class="day">
      <time dateTime={new Date(time).toISOString()}>{dayLabel(time)}</time>
    </div>
  );
}

/** The way to a menu may lead over other messages, which must not take it away. */
function menuOpen(row: HTMLElement): boolean {
  return !!row.closest('.history')?.querySelector('.actions [aria-expanded=true]');
}

function Face({ user }: { user: string }) {
  return (
    <button type="button" class="face" tabIndex={-1} aria-label={`Profile of ${nameOf(user)}`} onClick={() => openUser(user)}>
      <UserAvatar user={user} size="small" dot={false} />
    </button>
  );
}

function Meta({ message, mine }: { message: Message; mine: boolean }) {
  return (
    <span class="meta" dir="ltr">
      {message.edited_at && !message.deleted_at && <span title={fullTime(message.edited_at)}>edited</span>}
      <time dateTime={new Date(message.sent_at).toISOString()} title={fullTime(message.sent_at)}>
        {clock(message.sent_at)}
      </time>
      {mine && !message.deleted_at && <MarkIcon message={message} />}
    </span>
  );
}

function labelOf(message: Message): string {
  const text = message.deleted_at ? 'deleted message' : (message.text ?? '').slice(0, 300);
  return `${nameOrYou(message.sender)}, ${clock(message.sent_at)}: ${text}`;
}

/** Stands where a message is not loaded yet. */
export function RowSkeleton({ height }: { height: number }) {
  return (
    <div class="skeleton" style={{ height: `${height}px` }} aria-hidden="true">
      <span />
    </div>
  );
}
