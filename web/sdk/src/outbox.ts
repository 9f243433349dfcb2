// Messages that wait for the server: kept until they are known to be there,
// one at a time in each conversation, so that they arrive in the order typed.
// The client_id makes every repetition harmless.
import { asChatError, ChatError } from './errors.ts';
import type { MessageSendParams, MessageSendResult } from './protocol.ts';
import type { OutboxEntry } from './types.ts';

/** What happened to an entry; without `put` it is out of the outbox. */
export interface OutboxChange {
  client_id: string;
  put?: OutboxEntry;
  result?: MessageSendResult;
  error?: { code: number; reason: string; message: string };
}

export interface OutboxHooks {
  now(): number;
  /** Whether there is any use in trying. */
  canSend(): boolean;
  /** Repeats what may be repeated as long as the connection stands. */
  transmit(params: MessageSendParams): Promise<MessageSendResult>;
  /** The inbox id up to which events were told. */
  readonly cursor: number | null;
  /** Names the conversation of an entry: those of one go in order. */
  conversation(entry: OutboxEntry): string;
  outboxChanged(change: OutboxChange): void;
}

/** The server remembers a client_id for seven days; what was tried before that is not repeated by itself. */
const REMEMBERED = 6 * 24 * 3600 * 1000;

export class Outbox {
  #entries = new Map<string, OutboxEntry>();
  #busy = new Map<string, string>();
  /** Stored at the server, the event not here yet. */
  #settled = new Map<string, MessageSendResult>();

  constructor(private readonly hooks: OutboxHooks) {}

  list(): OutboxEntry[] {
    return [...this.#entries.values()];
  }

  get(client_id: string): OutboxEntry | undefined {
    return this.#entries.get(client_id);
  }

  /** What was kept, or another tab knows. */
  restore(entries: readonly OutboxEntry[]): void {
    this.#entries = new Map(
      [...entries]
        .sort((a, b) => a.order - b.order)
        .map((entry) => [entry.client_id, entry.state === 'sending' ? { ...entry, state: 'queued' } : entry]),
    );
  }

  /** What another tab did. */
  follow({ client_id, put }: OutboxChange): void {
    if (put) this.#entries.set(client_id, put);
    else this.#entries.delete(client_id);
  }

  add(entry: OutboxEntry): void {
    if (this.#entries.has(entry.client_id)) return;
    this.#put(entry);
    this.pump();
  }

  retry(client_id: string): void {
    const entry = this.#entries.get(client_id);
    if (entry?.state !== 'failed') return;
    const { error: _, ...rest } = entry;
    // whoever asks for it wants it sent, even if it was once before
    this.#put({ ...rest, state: 'queued', attempted_at: 0 });
    this.pump();
  }

  discard(client_id: string): void {
    const entry = this.#entries.get(client_id);
    if (!entry || entry.state === 'sending') return;
    this.#remove(client_id, { error: { code: 0, reason: 'discarded', message: 'discarded' } });
  }

  /** A message of one's own was told by the stream. */
  told(client_id: string, result: MessageSendResult): void {
    if (this.#entries.has(client_id)) this.#remove(client_id, { result });
  }

  /** The stream starts over: events of what is settled will not come. */
  reset(): void {
    for (const [client_id, result] of this.#settled) this.#remove(client_id, { result });
  }

  clear(): void {
    for (const client_id of [...this.#entries.keys()]) {
      this.#remove(client_id, { error: { code: 0, reason: 'signed_out', message: 'signed out' } });
    }
  }

  /** Sends the first of each conversation that waits. */
  pump(): void {
    if (!this.hooks.canSend()) return;
    const seen = new Set(this.#busy.values());
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'queued') continue;
      const conversation = this.hooks.conversation(entry);
      if (seen.has(conversation)) continue;
      seen.add(conversation);
      void this.#attempt(entry, conversation);
    }
  }

  async #attempt(entry: OutboxEntry, conversation: string): Promise<void> {
    const { state: _, error: __, created_at: ___, order: ____, attempted_at, ...params } = entry;
    const { client_id } = params;
    const now = this.hooks.now();
    if (attempted_at && now - attempted_at > REMEMBERED) {
      return this.#fail(entry, new ChatError(0, 'expired', 'it may have been sent long ago'));
    }
    this.#busy.set(client_id, conversation);
    this.#put({ ...entry, state: 'sending', attempted_at: attempted_at || now });
    try {
      const result = await this.hooks.transmit(params);
      this.#busy.delete(client_id);
      this.#stored(client_id, result);
    } catch (error) {
      this.#busy.delete(client_id);
      this.#refused(client_id, asChatError(error));
    }
    this.pump();
  }

  #stored(client_id: string, result: MessageSendResult): void {
    if (!this.#entries.has(client_id)) return;
    if ((this.hooks.cursor ?? 0) >= result.inbox_id) return this.#remove(client_id, { result });
    this.#settled.set(client_id, result);
    this.hooks.outboxChanged({ client_id, put: this.#entries.get(client_id)!, result });
  }

  #refused(client_id: string, error: ChatError): void {
    const entry = this.#entries.get(client_id);
    if (!entry) return;
    if (error.temporary) this.#put({ ...entry, state: 'queued' });
    else this.#fail(entry, error);
  }

  #fail(entry: OutboxEntry, { code, reason, message }: ChatError): void {
    this.#put({ ...entry, state: 'failed', error: { code, reason, message } });
  }

  #put(entry: OutboxEntry): void {
    this.#entries.set(entry.client_id, entry);
    const { client_id, state, error } = entry;
    this.hooks.outboxChanged({ client_id, put: entry, ...(state === 'failed' && { error }) });
  }

  #remove(client_id: string, outcome: Pick<OutboxChange, 'result' | 'error'>): void {
    this.#entries.delete(client_id);
    this.#settled.delete(client_id);
    this.hooks.outboxChanged({ client_id, ...outcome });
  }
}
