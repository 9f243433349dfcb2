// The one cursor: inbox events are told in order, each once, none left out.
import { asChatError } from './errors.ts';
import type { InboxId, InboxSyncResult } from './protocol.ts';

export interface SequenceHooks {
  sync(after: InboxId): Promise<InboxSyncResult>;
  deliver(method: string, params: any): void;
  /** Everything up to the newest has been told, or not any more. */
  synced(synced: boolean): void;
  /** The server's store is another one: what is kept is of no use. */
  reset(): void;
  /** A gap could not be healed. */
  broken(): void;
}

/** So many are kept while a gap is healed; what is beyond is read again. */
const BUFFER = 1000;

export class Sequence {
  /** The newest inbox id that was told; null: none yet, live only. */
  cursor: InboxId | null = null;
  #target = 0;
  /** Everything up to the newest has been told. */
  synced = false;
  #healing = false;
  #buffer: { method: string; params: any }[] = [];

  constructor(private readonly hooks: SequenceHooks) {}

  /** A connection stands; the server's newest is `inbox_id`. */
  ready(inbox_id: InboxId): void {
    if (this.cursor !== null && inbox_id < this.cursor) this.startOver();
    this.cursor ??= inbox_id;
    this.#target = inbox_id;
    this.#check();
  }

  lost(): void {
    this.#buffer = [];
    this.#setSynced(false);
  }

  startOver(): void {
    this.cursor = null;
    this.#buffer = [];
    this.hooks.reset();
  }

  accept(method: string, params: any): void {
    const id: unknown = params?.inbox_id;
    if (typeof id !== 'number') return this.hooks.deliver(method, params);
    this.cursor ??= id - 1;
    if (id <= this.cursor) return;
    this.#target = Math.max(this.#target, id);
    if (id === this.cursor + 1 && !this.#healing) return this.#tell(id, method, params);
    if (this.#buffer.length < BUFFER) this.#buffer.push({ method, params });
    if (!this.#healing) void this.#heal();
  }

  #tell(id: InboxId, method: string, params: any): void {
    this.cursor = id;
    this.hooks.deliver(method, params);
    this.#check();
  }

  async #heal(): Promise<void> {
    this.#healing = true;
    this.#setSynced(false);
    try {
      for (let more = true; more && this.cursor !== null; ) {
        const page = await this.hooks.sync(this.cursor);
        for (const { method, params } of page.events) {
          if (this.cursor !== null && params.inbox_id === this.cursor + 1) this.#tell(params.inbox_id, method, params);
        }
        this.#target = Math.max(this.#target, page.inbox_id);
        more = page.more && page.events.length > 0;
      }
      this.#healing = false;
    } catch (error) {
      this.#healing = false;
      this.#buffer = [];
      if (asChatError(error).code === 409) this.startOver();
      return this.hooks.broken();
    }
    for (const { method, params } of this.#buffer.splice(0)) this.accept(method, params);
    this.#check();
  }

  #check(): void {
    this.#setSynced(!this.#healing && this.cursor !== null && this.cursor >= this.#target);
  }

  #setSynced(synced: boolean): void {
    if (synced === this.synced) return;
    this.synced = synced;
    this.hooks.synced(synced);
  }
}
