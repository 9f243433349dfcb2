// A text cut into plain pieces, links and mentions.  The view makes elements
// of them; nothing of a message is ever parsed as HTML.

export interface Part {
  kind: 'text' | 'link' | 'mention';
  text: string;
  /** of a link: an absolute http, https or mailto address */
  href?: string;
  /** of a mention: the user id */
  user?: string;
}

// one pass without nested repetition: time is linear in the text
const CANDIDATE = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\u0000-\u001f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]{1,2000}|(?<![\p{L}\p{N}_.+-])@[A-Za-z0-9_.@+-]{1,64}/giu;

/** The address if it is safe to offer as a link. */
export function safeHref(text: string): string | undefined {
  try {
    const url = new URL(text);
    if (!['http:', 'https:', 'mailto:'].includes(url.protocol)) return undefined;
    // https://bank.example@evil.example reads like the first and goes to the second
    if (url.username || url.password) return undefined;
    return url.href;
  } catch {
    return undefined;
  }
}

// the full stop behind an address, or the bracket around it, is not part of it
function trimTail(text: string): string {
  let end = text.length;
  for (; end > 0; end--) {
    const c = text[end - 1]!;
    if ('.,;:!?\u2026'.includes(c)) continue;
    if (c === ')' && !text.slice(0, end).includes('(')) continue;
    if (c === ']' && !text.slice(0, end).includes('[')) continue;
    break;
  }
  return text.slice(0, end);
}

function mentioned(text: string, mentions: readonly string[]): string | undefined {
  const id = text.slice(1);
  if (mentions.includes(id)) return id;
  const trimmed = id.replace(/[.@+-]+$/u, '');
  return mentions.includes(trimmed) ? trimmed : undefined;
}

export function partsOf(text: string, mentions: readonly string[] = []): Part[] {
  const parts: Part[] = [];
  let done = 0;
  const plain = (end: number) => {
    if (end > done) parts.push({ kind: 'text', text: text.slice(done, end) });
  };
  for (const match of text.matchAll(CANDIDATE)) {
    const at = match.index;
    if (at < done) continue;
    if (match[0][0] === '@') {
      const user = mentions.length ? mentioned(match[0], mentions) : undefined;
      if (!user) continue;
      plain(at);
      parts.push({ kind: 'mention', text: '@' + user, user });
      done = at + 1 + user.length;
      continue;
    }
    const shown = trimTail(match[0]);
    const href = safeHref(shown);
    if (!href) continue;
    plain(at);
    parts.push({ kind: 'link', text: shown, href });
    done = at + shown.length;
  }
  plain(text.length);
  return parts;
}

/** The user ids among `known` that a text mentions with @, at most 100. */
export function mentionsIn(text: string, known: readonly string[]): string[] {
  if (!text.includes('@')) return [];
  const users = partsOf(text, known).flatMap((p) => (p.user ? [p.user] : []));
  return [...new Set(users)].slice(0, 100);
}
