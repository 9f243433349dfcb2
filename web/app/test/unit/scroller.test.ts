import { describe, expect, it } from 'vitest';
import { Heights } from '../../src/lib/heights.ts';
import { Scroller } from '../../src/lib/scroller.ts';

describe('heights', () => {
  it('agree with a plain sum, whatever is set', () => {
    const heights = new Heights(300, 40);
    const plain = new Array<number>(300).fill(40);
    let seed = 7;
    const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
    for (let i = 0; i < 2000; i++) {
      const row = random(300);
      const height = random(200);
      heights.set(row, height);
      plain[row] = height;
      const until = random(301);
      expect(heights.before(until)).toBe(plain.slice(0, until).reduce((a, b) => a + b, 0));
    }
    let top = 0;
    for (let row = 0; row < 300; row++) {
      if (plain[row]! > 0) expect(heights.at(top)).toBe(row);
      top += plain[row]!;
    }
    expect(heights.at(-5)).toBeGreaterThanOrEqual(0);
    expect(heights.at(1e9)).toBe(299);
  });
  it('keep what was measured when there is room for more', () => {
    const heights = new Heights(10, 40);
    heights.set(3, 100);
    const more = heights.resized(20, 0);
    expect(more.before(4)).toBe(220);
    const earlier = more.resized(30, -5);
    expect(earlier.get(8)).toBe(100);
    expect(earlier.get(3)).toBe(40);
  });
});

/** A scrolled element without a browser: as high as the scroller says. */
function view(scroller: Scroller, height = 500) {
  const element = {
    clientHeight: height,
    top: 0,
    get scrollHeight() {
      return Math.max(height, scroller.above(scroller.newest + 1));
    },
    get scrollTop() {
      return this.top;
    },
    set scrollTop(value: number) {
      this.top = Math.max(0, Math.min(value, this.scrollHeight - height));
    },
  };
  scroller.attach(element as unknown as HTMLElement);
  return element;
}

describe('the scroller', () => {
  it('draws a bounded number of rows of any list', () => {
    const scroller = new Scroller();
    scroller.span(10_000);
    const element = view(scroller);
    scroller.settle();
    for (let y = 0; y < element.scrollHeight; y += 9000) {
      scroller.stick = false;
      element.scrollTop = y;
      const { first, last } = scroller.range();
      expect(last - first).toBeLessThan(60);
      expect(first).toBeGreaterThanOrEqual(1);
      expect(last).toBeLessThanOrEqual(10_000);
    }
  });
  it('stays at the end when rows come and grow', () => {
    const scroller = new Scroller();
    scroller.span(100);
    const element = view(scroller);
    scroller.settle();
    scroller.span(101);
    scroller.measured([[101, 400]]);
    expect(element.scrollTop).toBe(element.scrollHeight - 500);
    expect(scroller.range().last).toBe(101);
  });
  it('holds what one reads when rows above turn out higher', () => {
    const scroller = new Scroller();
    scroller.span(1000);
    const element = view(scroller);
    scroller.stick = false;
    element.scrollTop = scroller.above(500);
    scroller.measured([[490, 146], [510, 300]]);
    expect(element.scrollTop).toBe(scroller.above(500));
  });
  it('keeps a pinned row at its place until one scrolls', () => {
    const scroller = new Scroller();
    scroller.span(1000);
    const element = view(scroller);
    scroller.pinTo(300, 0.5);
    scroller.measured([[290, 90], [299, 10]]);
    expect(element.scrollTop).toBe(scroller.above(300) - 250);
    scroller.unpin();
    element.scrollTop -= 100;
    scroller.scrolled(false);
    expect(scroller.stick).toBe(false);
  });
  it('does not follow the end while newer messages are missing', () => {
    const scroller = new Scroller();
    scroller.span(20);
    const element = view(scroller);
    element.scrollTop = 1e6;
    scroller.scrolled(true);
    expect(scroller.stick).toBe(false);
    scroller.scrolled(false);
    expect(scroller.stick).toBe(true);
  });
  it('reaches the first of a million', () => {
    const scroller = new Scroller();
    scroller.span(1_000_000);
    expect(scroller.rows).toBeLessThanOrEqual(500_001);
    scroller.span(1_000_000, 5);
    view(scroller);
    scroller.pinTo(5, 0);
    expect(scroller.visible().first).toBe(5);
  });
});
