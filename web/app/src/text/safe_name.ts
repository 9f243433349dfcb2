// Names are chosen by strangers: what could turn the line around, hide
// letters or pile up over other text does not reach the page.

// controls, marks and overrides of direction, invisible operators and fillers, tags, soft hyphen
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

// a joiner is part of writing between letters that join and inside an emoji
const LOOSE_JOINER = /(?<![\p{Extended_Pictographic}\p{Mn}\p{Emoji_Modifier}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}])[\u200c\u200d]|[\u200c\u200d](?![\p{Extended_Pictographic}\p{Mn}\p{L}])/gu;

const PILE = /(\p{Mn}{3})\p{Mn}+/gu;

/** A display name as it may be shown; `fallback` (the user id) when nothing is left of it. */
export function safeName(name: string | null | undefined, fallback: string): string {
  if (!name) return fallback;
  const clean = name.replace(UNSAFE, '').replace(LOOSE_JOINER, '').replace(PILE, '$1').replace(/\s+/gu, ' ').trim();
  return clean || fallback;
}

/** Whether something was taken out, so that the view shows the id beside it. */
export function isSuspicious(name: string | null | undefined): boolean {
  return !!name && safeName(name, '') !== name.replace(/\s+/gu, ' ').trim();
}
