// A call until it has an answer: waits for a connection, keeps to the rate the
// server allows, repeats what may be repeated.
import type { Connection } from './connection.ts';
import { asChatError, ChatError } from './errors.ts';
import type { Limits } from './protocol.ts';
import { clientId } from './client_id.ts';
import { backoff, sleep, type Timing } from './timing.ts';
import type { CallOptions } from './types.ts';

/**
 * Whether a repetition is to be done once, by its client_id.  The others ask only, or move a marker that only grows:
 * the server need not remember them.
 */
export const changes = (method: string): boolean =>
  !/^(ping|typing|session)|\.(get|history|list|search|sync|ack|read|(un)?watch)$/.test(method);

export type Arrived = (result: any) => void;

export class Calls {
  /** Not before this (performance.now()): a request sooner than a 429 allows ends the connection. */
  #gate = 0;
  #rate = Infinity;
  #burst = Infinity;
  #tokens = Infinity;
  #filled = 0;

  constructor(
    private readonly connection: Connection,
    private readonly timing: Timing,
  ) {}

  limits(limits: Limits | null): void {
    this.#rate = (limits?.rate_per_minute ?? Infinity) / 60_000;
    this.#burst = Math.max(1, limits?.burst ?? Infinity);
    this.#tokens = Math.min(this.#tokens, this.#burst);
  }

  async call(method: string, params: any, options: CallOptions = {}, arrived?: Arrived): Promise<any> {
    const end = performance.now() + (options.timeout ?? this.timing.call);
    if (changes(method)) params = { client_id: clientId(), ...params };
    let last = new ChatError(0, 'offline');
    for (let tries = 0; ; tries++) {
      if (!options.connected) await this.connection.whenOnline(end - performance.now());
      const left = end - performance.now();
      if (options.signal?.aborted) throw new ChatError(0, 'aborted');
      if (left <= 0 || !this.connection.isOnline) throw last;
      try {
        await this.#turn(left);
        return await this.#once(method, params, Math.min(left, this.timing.call), arrived);
      } catch (error) {
        last = asChatError(error);
        if (!last.temporary) throw last;
        if (last.code === 429) this.#gate = performance.now() + (last.retry_after ?? 1) * 1000;
        else if (this.connection.isOnline) {
          await sleep(Math.min(left, Math.max((last.retry_after ?? 0) * 1000, backoff(tries, this.timing))));
        }
      }
    }
  }

  /** For what may be dropped. */
  notify(method: string, params: unknown): void {
    if (performance.now() >= this.#gate && this.#take() === 0) this.connection.notify(method, params);
  }

  async #turn(left: number): Promise<void> {
    for (let wait; (wait = Math.max(this.#gate - performance.now(), 0) || this.#take()); left -= wait) {
      await sleep(Math.min(wait, left));
      if (wait > left) throw new ChatError(429, 'rate_limited', undefined, { retry_after: (wait - left) / 1000 });
    }
  }

  /** 0 when there was a token, else ms until there may be one. */
  #take(): number {
    if (this.#rate === Infinity) return 0;
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filled) * this.#rate);
    this.#filled = now;
    if (this.#tokens < 1) return Math.ceil((1 - this.#tokens) / this.#rate);
    this.#tokens--;
    return 0;
  }

  #once(method: string, params: unknown, ms: number, arrived?: Arrived): Promise<any> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new ChatError(0, 'timeout')), ms);
      this.connection
        .request(method, params, arrived)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }
}
