// Unicode code points, which is what the server's limits count.

/** How many code points a text has; a lone surrogate counts as one. */
export function countPoints(text: string): number {
  let n = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0xd800 && c < 0xdc00) {
      const d = text.charCodeAt(i + 1);
      if (d >= 0xdc00 && d < 0xe000) {
        n--;
        i++;
      }
    }
  }
  return n;
}

/** The index at which the code point number `points` begins. */
export function indexOfPoint(text: string, points: number): number {
  let i = 0;
  for (let n = 0; n < points && i < text.length; n++) i += text.codePointAt(i)! > 0xffff ? 2 : 1;
  return i;
}
