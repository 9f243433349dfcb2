// All emoji, searched by their English names.

import { useState } from 'preact/hooks';
import { emojiGroups, findEmoji, type Emoji } from '../text/emoji.ts';

export function EmojiPicker({ onPick }: { onPick: (emoji: string) => void }) {
  const [query, setQuery] = useState('');
  const found = query.trim() ? [{ name: 'Found', emoji: findEmoji(query) }] : emojiGroups();
  return (
    <div class="emoji-picker" role="dialog" aria-label="Emoji">
      <input
        class="input"
        type="search"
        placeholder="Search emoji"
        aria-label="Search emoji"
        data-first
        ref={focusOnce}
        value={query}
        onInput={(e) => setQuery(e.currentTarget.value)}
        onKeyDown={(e) => {
          const first = found[0]?.emoji[0];
          if (e.key === 'Enter' && first) {
            e.preventDefault();
            onPick(first.emoji);
          }
        }}
      />
      <div class="emoji-scroll" onKeyDown={moveInGrid}>
        {found.map((group) => (
          <section key={group.name} aria-label={group.name}>
            <h3 class="soft">{group.name}</h3>
            <div class="emoji-grid">
              {group.emoji.map((e) => (
                <EmojiCell key={e.emoji} entry={e} onPick={onPick} />
              ))}
            </div>
          </section>
        ))}
        {found[0]?.emoji.length === 0 && <p class="soft">None of that name.</p>}
      </div>
    </div>
  );
}

function EmojiCell({ entry, onPick }: { entry: Emoji; onPick: (emoji: string) => void }) {
  return (
    <button type="button" class="emoji" aria-label={entry.name} title={entry.name} onClick={() => onPick(entry.emoji)}>
      {entry.emoji}
    </button>
  );
}

function focusOnce(element: HTMLElement | null): void {
  element?.focus();
}

const COLUMNS = 8;

function moveInGrid(e: KeyboardEvent): void {
  const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS };
  const step = steps[e.key];
  if (!step) return;
  const cells = [...(e.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('.emoji')];
  cells[cells.indexOf(document.activeElement as HTMLElement) + step]?.focus();
  e.preventDefault();
}
