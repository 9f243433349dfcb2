// The text of a message: pieces as text nodes, safe links, mentions, and a
// fold for long ones.

import { useMemo, useState } from 'preact/hooks';
import { countPoints } from '../text/points.ts';
import { foldAt, isBigEmoji } from '../text/fold.ts';
import { partsOf } from '../text/parts.ts';
import { me } from '../model/chat.ts';
import { openUser } from '../model/ui.ts';

// how much more one press shows: a browser lays out this much without a pause
const STEP = 10_000;

export function TextBody({ text, mentions }: { text: string; mentions?: readonly string[] | undefined }) {
  const fold = useMemo(() => foldAt(text), [text]);
  const [shown, setShown] = useState(0);
  const end = Math.max(fold, shown);
  const folded = fold > 0 && end < text.length;
  const visible = folded ? text.slice(0, end) : text;
  const parts = useMemo(() => partsOf(visible, mentions), [visible, mentions]);
  return (
    <>
      <span class={isBigEmoji(text) ? 'text big' : 'text'}>
        {parts.map((part, i) => {
          if (part.kind === 'link') return <SafeLink key={i} href={part.href!} text={part.text} />;
          if (part.kind === 'mention') return <Mention key={i} user={part.user!} />;
          return part.text;
        })}
        {folded && '…'}
      </span>
      {fold > 0 && (
        <button
          type="button"
          class="fold"
          aria-expanded={!folded}
          onClick={() => setShown(folded ? cut(text, end + STEP) : 0)}
        >
          {folded ? `Show more (${countPoints(text).toLocaleString()} characters)` : 'Show less'}
        </button>
      )}
    </>
  );
}

function cut(text: string, at: number): number {
  const c = text.charCodeAt(at - 1);
  return c >= 0xd800 && c < 0xdc00 ? at + 1 : at;
}

function SafeLink({ href, text }: { href: string; text: string }) {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
      <bdi>{text}</bdi>
    </a>
  );
}

function Mention({ user }: { user: string }) {
  return (
    <button type="button" class={user === me() ? 'mention me' : 'mention'} onClick={() => openUser(user)}>
      <bdi>@{user}</bdi>
    </button>
  );
}
