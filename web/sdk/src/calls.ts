// A call until it has an answer: waits for a connection, keeps to the rate the
// server allows, repeats what may be repeated.
import type { Connection } from './connection.ts';
import { asChatError, ChatError } from './errors.ts';
import type { Limits } from './protocol.ts';
import { takesClientId } from './protocol.ts';
import { clientId } from './client_id.ts';
import { backoff, sleep, type Timing } from './timing.ts';
import type { CallOptions } from './types.ts';

/** Markers only grow: a repetition does no harm, and the server need not remember it. */
const GROWS = new Set(['inbox.ack', 'channel.read']);

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
    if (takesClientId.has(method) && !GROWS.has(method) && !params.client_id) params = { ...params, client_id: clientId() };
    let last = new ChatError(0, 'offline');
    for (let tries = 0; ; tries++) {
      const left = end - performance.now();
      if (options.signal?.aborted) throw new ChatError(0, 'aborted');
      if (left <= 0) throw last.reason === 'offline' || tries === 0 ? last : new ChatError(0, 'timeout', last.message);
      await this.connection.whenOnline(left);
      if (!this.connection.isOnline) throw last;
      try {
        await this.#turn(end, last);
        return await this.#once(method, params, end - performance.now(), arrived);
      } catch (error) {
        last = asChatError(error);
        if (!last.temporary) throw last;
        if (last.code === 429) this.#gate = performance.now() + (last.retry_after ?? 1) * 1000;
        else if (this.connection.isOnline) await sleep(Math.min(left, this.#pause(last, tries)));
      }
    }
  }

  /** For what may be dropped. */
  notify(method: string, params: unknown): void {
    if (performance.now() >= this.#gate && this.#take() === 0) this.connection.notify(method, params);
  }

  #pause(error: ChatError, tries: number): number {
    return Math.max((error.retry_after ?? 0) * 1000, backoff(tries, this.timing));
  }

  async #turn(end: number, last: ChatError): Promise<void> {
    for (;;) {
      const now = performance.now();
      const wait = now < this.#gate ? this.#gate - now : this.#take();
      if (wait === 0) return;
      if (now + wait > end) throw last.code === 429 ? last : new ChatError(429, 'rate_limited', undefined, { retry_after: wait / 1000 });
      await sleep(wait);
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
      const timer = setTimeout(() => reject(new ChatError(0, 'timeout')), Math.max(0, Math.min(ms, this.timing.call)));
      this.connection
        .request(method, params, arrived)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
  }
}
