// Messages of the channels that are open, by id; what stands together without
// a gap is a run.  The last ones of every channel are kept in storage.
import { newer, reacted } from './message.ts';
import type { Message } from './protocol.ts';
import type { Change } from './types.ts';

/** So many of each channel are kept. */
export const KEPT = 200;
const TRIM_EVERY = 50;

export interface MessagesHooks {
  messagesChanged(channel: string): void;
  /** Only the tab that has the connection writes. */
  keep(change: Change): void;
}

type Run = readonly Message[];

const NONE: Run = [];

class OpenChannel {
  readonly byId = new Map<number, Message>();
  newest = 0;
  /** By the message they were asked for; the same arrays until something changes. */
  runs = new Map<number, Run>();

  run(message_id: number): Run {
    let run = this.runs.get(message_id);
    if (!run) {
      let first = message_id;
      while (this.byId.has(first - 1)) first--;
      const found: Message[] = [];
      for (let message; (message = this.byId.get(first)); first++) found.push(message);
      this.runs.set(message_id, (run = found));
    }
    return run;
  }
}

export class Messages {
  #open = new Map<string, OpenChannel>();

  constructor(private readonly hooks: MessagesHooks) {}

  /** The run that has the message, or ends with the newest that is here. */
  run(channel: string, message_id?: number): Run {
    const open = this.#open.get(channel);
    return open ? open.run(message_id ?? open.newest) : NONE;
  }

  get(channel: string, message_id: number): Message | undefined {
    return this.#open.get(channel)?.byId.get(message_id);
  }

  /** Somebody looks at the channel: what comes is remembered from now on. */
  open(channel: string): void {
    if (!this.#open.has(channel)) this.#open.set(channel, new OpenChannel());
  }

  /** Nobody does any more: the newest run is enough. */
  closed(channel: string): void {
    const run = this.run(channel).slice(-KEPT);
    this.#open.delete(channel);
    this.open(channel);
    this.#put(channel, run);
  }

  /** From storage: the messages without a gap up to the newest, or none. */
  restore(channel: string, kept: readonly Message[], newest: number): void {
    if (kept.at(-1)?.message_id === newest) this.#put(channel, kept);
  }

  /** Of the server: a page of history. */
  page(channel: string, messages: readonly Message[]): void {
    for (const message of messages) this.#keep(message);
    this.#put(channel, messages);
  }

  apply(method: string, params: any): void {
    const { message } = params;
    if (method === 'message.new') {
      this.page(message.channel, [message]);
      const upTo = message.message_id - KEPT;
      if (upTo > 0 && upTo % TRIM_EVERY === 0) this.hooks.keep({ store: 'messages', channel: message.channel, upTo });
    } else if (method === 'message.reacted') {
      this.#modify(params.channel, params.message_id, (old) => reacted(old, params));
    } else if (message) {
      this.replace(message);
    } else if (params.removed) {
      this.#drop(params.channel.channel);
    }
  }

  /** Another view of a message, if it is here. */
  replace(message: Message): void {
    this.#modify(message.channel, message.message_id, (old) => newer(old, message));
  }

  clear(): void {
    const channels = [...this.#open.keys()];
    this.#open.clear();
    for (const channel of channels) {
      this.open(channel);
      this.hooks.messagesChanged(channel);
    }
  }

  #drop(channel: string): void {
    this.#open.delete(channel);
    this.hooks.keep({ store: 'messages', channel, upTo: Infinity });
    this.hooks.messagesChanged(channel);
  }

  #keep(message: Message): void {
    const key: [string, number] = [message.channel, message.message_id];
    this.hooks.keep({ store: 'messages', key, update: (old) => newer(old, message) });
  }

  #modify(channel: string, message_id: number, change: (old: Message) => Message): void {
    this.hooks.keep({
      store: 'messages',
      key: [channel, message_id],
      update: (old: Message | undefined) => old && change(old),
    });
    const old = this.get(channel, message_id);
    if (old) this.#put(channel, [change(old)]);
  }

  #put(channel: string, messages: readonly Message[]): void {
    const open = this.#open.get(channel);
    if (!open || !messages.length) return;
    for (const message of messages) {
      const { message_id } = message;
      open.byId.set(message_id, newer(open.byId.get(message_id), message));
      open.newest = Math.max(open.newest, message_id);
    }
    open.runs = new Map();
    this.hooks.messagesChanged(channel);
  }
}
