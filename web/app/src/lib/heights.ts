// The heights of the rows of a long list, measured or guessed, with the sum of
// any prefix in logarithmic time (a Fenwick tree).

export class Heights {
  private readonly own: Float64Array;
  private readonly tree: Float64Array;

  constructor(
    readonly count: number,
    readonly guess: number,
  ) {
    this.own = new Float64Array(count).fill(guess);
    this.tree = new Float64Array(count + 1);
    for (let i = 1; i <= count; i++) this.tree[i] = (i & -i) * guess;
  }

  get(row: number): number {
    return this.own[row] ?? this.guess;
  }

  /** Sets a row's height; returns by how much it changed. */
  set(row: number, height: number): number {
    const change = height - this.get(row);
    if (row < 0 || row >= this.count || change === 0) return 0;
    this.own[row] = height;
    for (let i = row + 1; i <= this.count; i += i & -i) this.tree[i]! += change;
    return change;
  }

  /** The sum of the heights of the rows before `row`. */
  before(row: number): number {
    let sum = 0;
    for (let i = Math.min(Math.max(row, 0), this.count); i > 0; i -= i & -i) sum += this.tree[i]!;
    return sum;
  }

  total(): number {
    return this.before(this.count);
  }

  /** The row at a distance from the top; the nearest for one outside. */
  at(offset: number): number {
    let row = 0;
    let rest = offset;
    let step = 1;
    while (step * 2 <= this.count) step *= 2;
    for (; step > 0; step >>= 1) {
      if (row + step <= this.count && this.tree[row + step]! <= rest) {
        row += step;
        rest -= this.tree[row]!;
      }
    }
    return Math.max(0, Math.min(row, this.count - 1));
  }

  /** The same heights with room for `count` rows, the first of which was row `shift`. */
  resized(count: number, shift: number): Heights {
    const next = new Heights(count, this.guess);
    for (let row = Math.max(0, shift); row < this.count && row - shift < count; row++) {
      if (this.own[row] !== this.guess) next.set(row - shift, this.own[row]!);
    }
    return next;
  }
}
