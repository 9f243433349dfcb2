// Every wait of the SDK, in ms; tests shorten them.
export const defaults = {
  backoff_min: 500,
  backoff_max: 30_000,
  /** A connection that stood this long starts the back-off anew. */
  stable_after: 5_000,
  /** From the first byte out to session.ready. */
  connect: 15_000,
  /** For the answer to a ping on a silent connection. */
  pong: 10_000,
  /** One try of a call. */
  call: 30_000,
  /** Between attempts to come back to a better transport; doubles up to ten times this. */
  upgrade: 60_000,
  /** Seconds a long poll waits. */
  poll: 50,
  /** Coalesces what goes to storage, acknowledgements, read markers. */
  flush: 100,
  ack: 1_000,
  read: 500,
  typing: 2_200,
  typing_shown: 6_000,
  /** A profile older than this is fetched again when asked for. */
  profile: 600_000,
  /** The list is not read again more often than this. */
  refresh: 10_000,
  /** Presence of watched users where no transport pushes it. */
  presence: 60_000,
  /** A tab that has the connection and does not answer for this long is frozen. */
  leader: 5_000,
};

export type Timing = typeof defaults;

/** Half of the exponential step for sure, the other half by chance, so that clients do not come back in step. */
export function backoff(attempt: number, timing: Timing, random = Math.random): number {
  const step = Math.min(timing.backoff_max, timing.backoff_min * 2 ** Math.min(attempt, 20));
  return step / 2 + (random() * step) / 2;
}

/** setTimeout takes 31 bits. */
export const LONGEST_TIMER = 2 ** 31 - 1;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs once, `ms` after the first of a series of calls. */
export function coalesce(ms: () => number, run: () => void): { (): void; cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      run();
    }, ms());
  };
  later.cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  return later;
}
