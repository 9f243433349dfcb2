// Where a long list stands: which rows are drawn, and what stays in place when
// the heights of rows become known.  It knows ids and pixels, not messages.
//
// A row's height is a guess until it was drawn once.  When a row above the
// middle of attention turns out higher or lower, the scroll position moves
// with it, before the browser paints.

import { Heights } from './heights.ts';

const GUESS = 46;
const SLACK = 512;
const OVERSCAN = 500;
const NEAR_END = 40;
/** As many rows as fit below the greatest height browsers lay out. */
const SPAN = 500_000;

export interface Range {
  first: number;
  last: number;
}

interface Pin {
  id: number;
  /** where in the view its top stands: 0 top, 0.5 middle */
  place: number;
}

export class Scroller {
  /** the id of the first row there is room for */
  base = 1;
  newest = 0;
  /** stays at the end when rows come */
  stick = true;
  /** where to begin is decided: what one sees now counts as seen */
  begun = false;
  element: HTMLElement | null = null;
  private heights = new Heights(SLACK, GUESS);
  private pin: Pin | null = null;

  readonly attach = (element: HTMLElement | null): void => {
    this.element = element;
  };

  /** Takes note of the newest id, and of one that has to have a row. */
  span(newest: number, wanted?: number): void {
    let base = wanted && wanted < this.base ? Math.max(1, wanted - SPAN / 2) : this.base;
    base = Math.max(base, wanted ? 1 : newest - SPAN);
    const count = newest - base + 1;
    if (base !== this.base || count > this.heights.count) {
      this.heights = this.heights.resized(count + SLACK, base - this.base);
      this.base = base;
    }
    this.newest = newest;
  }

  get rows(): number {
    return Math.max(0, this.newest - this.base + 1);
  }

  heightOf(id: number): number {
    return this.heights.get(id - this.base);
  }

  /** The pixels above a row. */
  above(id: number): number {
    return this.heights.before(Math.min(id - this.base, this.rows));
  }

  below(id: number): number {
    return Math.max(0, this.heights.before(this.rows) - this.heights.before(id + 1 - this.base));
  }

  /** The rows to draw now. */
  range(): Range {
    const top = this.element?.scrollTop ?? 0;
    const height = this.element?.clientHeight || 800;
    if (this.rows === 0) return { first: 1, last: 0 };
    const rows = this.rows - 1;
    let from = Math.min(rows, this.heights.at(Math.max(0, top - OVERSCAN)));
    let to = Math.min(rows, this.heights.at(top + height + OVERSCAN));
    if (this.stick && !this.pin) {
      to = rows;
      from = Math.min(from, this.heights.at(Math.max(0, this.heights.before(this.rows) - height - OVERSCAN)));
      from = Math.max(from, to - 80);
    }
    // in steps, so that a small move draws nothing
    return { first: this.base + from - (from % 4), last: this.base + Math.min(rows, to + 3 - (to % 4)) };
  }

  /** The rows one sees. */
  visible(): Range {
    const { element } = this;
    if (!element || this.rows === 0) return { first: 1, last: 0 };
    const rows = this.rows - 1;
    const row = (y: number) => this.base + Math.min(rows, this.heights.at(y));
    return { first: row(element.scrollTop), last: row(element.scrollTop + element.clientHeight - 8) };
  }

  /** Heights that were measured, [id, pixels]; corrects the position. */
  measured(sizes: readonly (readonly [number, number])[]): void {
    const { element } = this;
    if (!element) return;
    const top = element.scrollTop;
    let shift = 0;
    for (const [id, height] of sizes) {
      const bottom = this.above(id + 1);
      const change = this.heights.set(id - this.base, height);
      if (bottom <= top + 1) shift += change;
    }
    if (this.pin || this.stick) this.settle();
    else if (shift) element.scrollTop = top + shift;
  }

  /** Puts the view where it belongs: at the end, or at the pinned row. */
  settle(): void {
    const { element, pin } = this;
    if (!element) return;
    if (pin) element.scrollTop = this.above(pin.id) - pin.place * element.clientHeight;
    else if (this.stick) element.scrollTop = element.scrollHeight;
  }

  /** The user moved it. */
  scrolled(more: boolean): void {
    const { element } = this;
    if (!element || this.pin) return;
    this.stick = !more && element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
  }

  /** Holds a row at its place until the user scrolls. */
  pinTo(id: number, place: number): void {
    this.stick = false;
    this.pin = { id, place };
    this.settle();
  }

  unpin(): void {
    this.pin = null;
  }

  toEnd(): void {
    this.pin = null;
    this.stick = true;
    this.settle();
  }
}
