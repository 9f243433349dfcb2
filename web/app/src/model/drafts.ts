// What was typed and not sent, a text for each conversation; it survives a reload.

const KEY = 'chat.draft.';
const kept = new Map<string, string>();

export function draftOf(channel: string): string {
  const here = kept.get(channel);
  if (here !== undefined) return here;
  try {
    return sessionStorage.getItem(KEY + channel) ?? '';
  } catch {
    return '';
  }
}

export function keepDraft(channel: string, text: string): void {
  kept.set(channel, text);
  try {
    if (text) sessionStorage.setItem(KEY + channel, text.slice(0, 200_000));
    else sessionStorage.removeItem(KEY + channel);
  } catch {
    // storage full: it stays in memory
  }
}

/** The conversation has another key now. */
export function moveDraft(from: string, to: string): void {
  const text = draftOf(from);
  if (!text) return;
  keepDraft(to, text);
  keepDraft(from, '');
}

export function forgetDrafts(): void {
  kept.clear();
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(KEY)) sessionStorage.removeItem(key);
  } catch {
    // nothing was kept there
  }
}
