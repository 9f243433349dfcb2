// What stands for a picture: initials on a colour that stays the same for an id.

export const HUES = 10;

/** A number below HUES, the same for the same id on every device. */
export function hueOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % HUES;
}

const segmenter = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter(undefined, { granularity: 'grapheme' }) : null;

function firstGrapheme(word: string): string {
  if (!segmenter) return [...word][0] ?? '';
  for (const part of segmenter.segment(word)) return part.segment;
  return '';
}

/** One or two letters of a (safe) name. */
export function initialsOf(name: string): string {
  const all = name.split(/[\s._@+-]+/u).filter(Boolean);
  // "Sunday 9:30" is S, not S9
  const words = all.some((w) => /^\p{L}/u.test(w)) ? all.filter((w) => !/^\p{Nd}/u.test(w)) : all;
  const first = firstGrapheme(words[0] ?? name);
  const last = words.length > 1 ? firstGrapheme(words[words.length - 1]!) : '';
  return (first + last).toLocaleUpperCase();
}
