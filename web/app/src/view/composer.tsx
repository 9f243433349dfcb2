// Where one writes: answer or edit above it, mentions and emoji beside it.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { chat, limitOf, me, state } from '../model/chat.ts';
import { keepEdit } from '../model/begun.ts';
import { cancel, editedText, editing, endWished, goOn, open, paged, replyTo, saveEdit, startEdit } from '../model/conversation.ts';
import { draftOf, draftsElsewhere, keepDraft } from '../model/drafts.ts';
import { settings } from '../model/settings.ts';
import { countPoints } from '../text/points.ts';
import { mentionsIn } from '../text/parts.ts';
import { ComposerContext } from './composer_context.tsx';
import { EmojiButton } from './emoji_button.tsx';
import { Icon } from './icon.tsx';
import { mentionQuery, MentionList, useMentions } from './mention_list.tsx';
import { focusLastMessage } from './message_keys.ts';

interface ComposerProps {
  /** the channel's id, or `to:USER` */
  place: string;
  to: { channel: string } | { to: string };
  /** whom one may mention */
  members: readonly string[];
  label: string;
}

export function Composer({ place, to, members, label }: ComposerProps) {
  const [text, setText] = useState(() => draftOf(place));
  const [cursor, setCursor] = useState(0);
  const field = useRef<HTMLTextAreaElement>(null);
  const edited = editing.value;

  // before anything more can be typed, which it would overwrite
  useLayoutEffect(() => {
    setText(edited ? editedText(edited) : draftOf(place));
    // on a phone the focus brings the keyboard up: not before one wants to write
    if (edited || matchMedia('(pointer: fine)').matches) field.current?.focus();
  }, [place, edited?.message_id]);
  // with the quote: a key that is pressed once it is seen is for the field
  const begun = useRef(replyTo.value);
  useLayoutEffect(() => {
    if (replyTo.value && replyTo.value !== begun.current) field.current?.focus();
    begun.current = null;
  }, [replyTo.value]);
  // one writes in one tab at a time; the others have it, too
  const elsewhere = draftsElsewhere.value;
  useEffect(() => {
    if (elsewhere && !edited && !document.hasFocus()) setText(draftOf(place));
  }, [elsewhere]);
  useLayoutEffect(() => grow(field.current!), [text]);

  const write = (next: string) => {
    setText(next);
    if (edited) keepEdit(edited, next);
    else keepDraft(place, next);
  };
  const insert = (piece: string, from: number, until: number) => {
    write(text.slice(0, from) + piece + text.slice(until));
    setCursor(from + piece.length);
    requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.setSelectionRange(from + piece.length, from + piece.length);
    });
  };
  const query = mentionQuery(text, cursor);
  const mention = useMentions(query, members, (user) => insert(`@${user} `, query!.from, cursor));
  const over = overLimit(text);

  const submit = () => {
    if (!text.trim() || over > 0) return;
    if (edited) return void saveEdit(edited, text);
    send(to, text, members);
    write('');
    goOn();
  };

  const onKeyDown = (e: KeyboardEvent) => {
    // 229: the Enter that ends a composition, which Safari sends after its end
    if (e.isComposing || e.keyCode === 229) return;
    if (mention.onKey(e)) return;
    const { enterSends } = settings.value;
    if (e.key === 'Enter' && !e.shiftKey && (enterSends || e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      submit();
    } else if (e.key === 'Escape' && (edited || replyTo.value)) {
      e.preventDefault();
      e.stopPropagation();
      cancel();
    } else if (e.key === 'ArrowUp' && !e.altKey && text === '' && !edited) {
      e.preventDefault();
      if (!editLast()) focusLastMessage();
    } else if ((e.key === 'PageUp' || e.key === 'PageDown') && !scrolls(field.current!)) {
      e.preventDefault();
      paged.value += e.key === 'PageUp' ? -1 : 1;
    }
  };

  return (
    <div class="composer">
      <ComposerContext />
      <MentionList mention={mention} />
      <form
        class="composer-line"
        onSubmit={(e) => {
          e.preventDefault();
          submit();
        }}
      >
        <EmojiButton label="Emoji" onPick={(emoji) => insert(emoji, field.current!.selectionStart, field.current!.selectionEnd)} />
        <textarea
          ref={field}
          class="composer-field"
          rows={1}
          dir="auto"
          aria-label={label}
          placeholder="Write a message"
          value={text}
          aria-autocomplete="list"
          {...(mention.current ? { 'aria-controls': 'mention-list', 'aria-activedescendant': `mention-${mention.current}` } : {})}
          aria-describedby="composer-count"
          enterkeyhint={settings.value.enterSends ? 'send' : 'enter'}
          onInput={(e) => {
            write(e.currentTarget.value);
            setCursor(e.currentTarget.selectionStart);
            if ('channel' in to && e.currentTarget.value) chat.typing(to.channel);
          }}
          onSelect={(e) => setCursor(e.currentTarget.selectionStart)}
          onKeyDown={onKeyDown}
        />
        <button
          type="submit"
          class="send"
          aria-label={edited ? 'Save' : 'Send'}
          disabled={!text.trim() || over > 0}
          // the field keeps the focus, and a phone its keyboard
          onMouseDown={(e) => e.preventDefault()}
        >
          <Icon name={edited ? 'check' : 'send'} />
        </button>
      </form>
      <Count over={over} offline={state.value.status !== 'online'} empty={!text} />
    </div>
  );
}

/** How many code points too many; negative and small near the limit; -Infinity far below. */
function overLimit(text: string): number {
  const limit = limitOf('text_chars');
  // a code point is one or two units: counting is needed near the limit only
  return text.length < limit * 0.95 ? -Infinity : countPoints(text) - limit;
}

function Count({ over, offline, empty }: { over: number; offline: boolean; empty: boolean }) {
  const near = over > -2000;
  const words = over > 0 ? `${over.toLocaleString()} characters too long` : `${(-over).toLocaleString()} characters left`;
  return (
    <div id="composer-count" class={over > 0 ? 'composer-count over' : 'composer-count'}>
      {near ? words : offline && !empty ? 'Offline. Sent when you are back.' : ''}
    </div>
  );
}

function send(to: { channel: string } | { to: string }, text: string, members: readonly string[]): void {
  const reply = replyTo.value;
  replyTo.value = null;
  const mentions = mentionsIn(text, members);
  const { sent } = chat.send({
    ...to,
    text,
    ...(reply ? { reply_to: reply.message_id } : {}),
    ...(mentions.length ? { mentions } : {}),
  });
  // a refusal stays visible in the outbox, with its reason
  sent.catch(() => {});
  endWished.value++;
}

/** Opens one's last message for editing. */
function editLast(): boolean {
  const messages = open.value?.timeline.messages ?? [];
  const last = messages.findLast((m) => m.sender === me() && !m.deleted_at);
  if (last) startEdit(last);
  return !!last;
}

/** Whether its text is higher than it may grow, so that paging is its own affair. */
function scrolls(field: HTMLTextAreaElement): boolean {
  return field.scrollHeight > field.clientHeight + 4;
}

function grow(field: HTMLTextAreaElement): void {
  if (CSS.supports('field-sizing', 'content')) return;
  field.style.height = 'auto';
  field.style.height = `${Math.min(field.scrollHeight, 200)}px`;
}
