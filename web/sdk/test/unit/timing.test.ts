import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backoff, coalesce, defaults } from '../../src/timing.ts';

describe('back-off', () => {
  it('doubles to a ceiling, half of it by chance', () => {
    const steps = (random: number) => [0, 1, 2, 3, 10, 1000].map((n) => backoff(n, defaults, () => random));
    expect(steps(0)).toEqual([250, 500, 1000, 2000, 15_000, 15_000]);
    expect(steps(1)).toEqual([500, 1000, 2000, 4000, 30_000, 30_000]);
  });

  it('spreads clients that were cut in the same moment', () => {
    const delays = new Set(Array.from({ length: 100 }, () => Math.round(backoff(4, defaults))));
    expect(delays.size).toBeGreaterThan(80);
  });
});

describe('coalescing', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('runs once, counted from the first call, and again for later ones', () => {
    const run = vi.fn();
    const later = coalesce(() => 100, run);
    later();
    vi.advanceTimersByTime(60);
    later();
    vi.advanceTimersByTime(39);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
    later();
    later.cancel();
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(1);
  });
});
