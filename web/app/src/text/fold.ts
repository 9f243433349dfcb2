// Long texts show their beginning until somebody asks for the rest.

const CHARS = 1200;
const LINES = 18;

/** Where a long text is cut, or 0 when it is shown whole. */
export function foldAt(text: string): number {
  let lines = 0;
  const end = Math.min(text.length, CHARS);
  for (let i = 0; i < end; i++) {
    if (text.charCodeAt(i) === 10 && ++lines === LINES) return i;
  }
  if (text.length <= CHARS * 1.25) return 0;
  // not inside a pair of surrogates, and at a space when one is near
  const space = text.lastIndexOf(' ', CHARS);
  let cut = space > CHARS - 80 ? space : CHARS;
  const c = text.charCodeAt(cut - 1);
  if (c >= 0xd800 && c < 0xdc00) cut--;
  return cut;
}

const EMOJI_ONLY = /^(?:[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\ufe0f\u200d]|\s)+$/u;

/** One to three emoji and nothing else: shown large. */
export function isBigEmoji(text: string): boolean {
  if (text.length > 40) return false;
  try {
    return EMOJI_ONLY.test(text) && /\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(text) && graphemes(text) <= 3;
  } catch {
    return false;
  }
}

function graphemes(text: string): number {
  if (typeof Intl.Segmenter !== 'function') return [...text].length;
  return [...new Intl.Segmenter().segment(text.replace(/\s/g, ''))].length;
}
