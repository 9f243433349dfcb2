// A window of a conversation: a run of messages that pages and events extend,
// and behind it what is on its way.
import type { Core } from './core.ts';
import type { Message, MessageHistoryParams, MessageHistoryResult } from './protocol.ts';
import type { ChannelState, OutboxEntry, Timeline } from './types.ts';

const PAGE = 50;
/** Messages at the end of the run that may just have left the outbox. */
const RECENT = 100;

export class ConversationTimeline implements Timeline {
  channel: string | null;
  readonly to: string | null;
  loading: Timeline['loading'] = null;
  #anchor: number | undefined;
  #listeners = new Set<() => void>();
  #scheduled = false;
  #pendingList: readonly OutboxEntry[] | null = null;
  #ended = false;

  constructor(
    private readonly core: Core,
    conversation: { channel?: string; to?: string },
  ) {
    this.to = conversation.to ?? null;
    this.channel = conversation.channel ?? core.model.channels.direct(conversation.to!)?.channel ?? null;
    if (this.channel) core.model.messages.open(this.channel);
    core.timelines.add(this);
  }

  get messages(): readonly Message[] {
    return this.channel === null ? [] : this.core.model.messages.run(this.channel, this.#anchor);
  }

  get pending(): readonly OutboxEntry[] {
    if (this.#pendingList) return this.#pendingList;
    const here = this.core.conversation({ channel: this.channel ?? undefined, to: this.to ?? undefined });
    const told = new Set(this.messages.slice(-RECENT).map((message) => message.client_id));
    return (this.#pendingList = this.core
      .entries()
      .filter((entry) => this.core.conversation(entry) === here && !told.has(entry.client_id)));
  }

  get has_before(): boolean {
    return (this.messages[0]?.message_id ?? this.#newestId + 1) > 1;
  }

  get has_after(): boolean {
    return this.messages.at(-1)?.message_id! < this.#newestId;
  }

  async newest(): Promise<void> {
    this.#anchor = undefined;
    this.#changed();
    const { channel, core } = this;
    if (channel === null) return;
    if (!this.messages.length) {
      const kept = await core.keeper.all<Message>('messages', channel);
      core.model.messages.restore(channel, kept, this.#newestId);
      this.#changed();
    }
    this.#members();
    if (core.state.synced && this.messages.at(-1)?.message_id === this.#newestId && this.messages.length >= Math.min(PAGE, this.#newestId)) return;
    await this.#load('newest', {});
  }

  async before(limit = PAGE): Promise<void> {
    const first = this.messages[0];
    if (!first) return this.newest();
    if (first.message_id > 1) await this.#load('before', { before: first.message_id, limit });
  }

  async after(limit = PAGE): Promise<void> {
    if (this.has_after) await this.#load('after', { after: this.messages.at(-1)!.message_id, limit });
  }

  async around(message_id: number): Promise<void> {
    if (this.channel === null) return;
    if (!this.core.model.messages.get(this.channel, message_id)) await this.#load('around', { around: message_id });
    if (this.core.model.messages.get(this.channel, message_id)) this.#anchor = message_id;
    this.#changed();
  }

  /** Ids and times both only grow, so a few looks find it. */
  async date(time: number): Promise<number | null> {
    let low = 1;
    let high = this.#newestId + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.#sentAt(middle)) < time) low = middle + 1;
      else high = middle;
    }
    if (low > this.#newestId) return null;
    await this.around(low);
    return low;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listeners.clear();
    const { model, timelines } = this.core;
    timelines.delete(this);
    if (this.channel !== null && ![...timelines].some((other) => other.channel === this.channel)) {
      model.messages.closed(this.channel);
    }
  }

  get #state(): ChannelState | undefined {
    return this.core.model.channels.get(this.channel ?? '');
  }

  get #newestId(): number {
    return this.#state?.newest ?? 0;
  }

  async #sentAt(message_id: number): Promise<number> {
    const channel = this.channel!;
    const known = this.core.model.messages.get(channel, message_id);
    return (known ?? (await this.core.call('message.get', { channel, message_id })).message).sent_at;
  }

  async #load(loading: Timeline['loading'], where: Omit<MessageHistoryParams, 'channel'>): Promise<void> {
    const channel = this.channel!;
    this.loading = loading;
    this.#changed();
    try {
      // the result is in the model when it is here
      (await this.core.call('message.history', { channel, limit: PAGE, ...where })) as MessageHistoryResult;
    } finally {
      this.loading = null;
      this.#changed();
    }
  }

  /** Their markers, for the marks at one's own messages; once is enough, receipts follow. */
  #members(): void {
    if (this.#state && this.core.state.status === 'online') {
      this.core.call('channel.get', { channel: this.channel }).catch(() => {});
    }
  }

  /** A channel has changed, or the outbox: null. */
  touched(channel: string | null): void {
    if (this.channel === null && this.to !== null) {
      const direct = this.core.model.channels.direct(this.to);
      if (direct) {
        this.channel = direct.channel;
        this.core.model.messages.open(direct.channel);
        this.newest().catch(() => {});
      }
    }
    if (channel === null || channel === this.channel) this.#changed();
  }

  /** Several changes of one moment are told once. */
  #changed(): void {
    this.#pendingList = null;
    if (this.#scheduled || this.#ended) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}
