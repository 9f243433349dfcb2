// Messages of the channels that are open: for each some runs without gaps,
// which grow together as pages and events come; the last ones are kept.
import { newer, reacted } from './message.ts';
import type { Message, MessageReactedEvent } from './protocol.ts';
import type { Change } from './types.ts';

/** So many of each channel are kept in storage. */
export const KEPT = 200;
const TRIM_EVERY = 50;

export interface MessagesHooks {
  messagesChanged(channel: string): void;
  /** Only the tab that has the connection writes. */
  keep(change: Change): void;
}

type Run = readonly Message[];

const first = (run: Run): number => run[0]!.message_id;
const last = (run: Run): number => run[run.length - 1]!.message_id;

export class Messages {
  #runs = new Map<string, Run[]>();

  constructor(private readonly hooks: MessagesHooks) {}

  /** The run that has the message, or ends with the newest. */
  run(channel: string, message_id?: number): Run {
    const runs = this.#runs.get(channel) ?? [];
    if (message_id === undefined) return runs[runs.length - 1] ?? [];
    return runs.find((run) => first(run) <= message_id && message_id <= last(run)) ?? [];
  }

  get(channel: string, message_id: number): Message | undefined {
    const run = this.run(channel, message_id);
    return run.length ? run[message_id - first(run)] : undefined;
  }

  /** Somebody looks at the channel: what comes is remembered from now on. */
  open(channel: string): void {
    if (!this.#runs.has(channel)) this.#runs.set(channel, []);
  }

  /** From storage: the messages without a gap up to the newest, or none. */
  restore(channel: string, kept: readonly Message[], newest: number): void {
    let start = kept.length;
    while (start > 0 && kept[start - 1]!.message_id === newest - (kept.length - start)) start--;
    if (start < kept.length) this.#insert(channel, kept.slice(start), false);
  }

  /** A page: ascending, without gaps. */
  page(channel: string, messages: readonly Message[]): void {
    if (!messages.length) return;
    for (const message of messages) {
      this.hooks.keep({
        store: 'messages',
        key: [channel, message.message_id],
        update: (old: Message | undefined) => newer(old, message),
      });
    }
    if (this.#runs.has(channel)) this.#insert(channel, messages, true);
  }

  apply(method: string, params: any): void {
    if (method === 'message.new') return this.#add(params.message);
    if (method === 'message.edited' || method === 'message.deleted') return this.replace(params.message);
    if (method === 'message.reacted') return this.#react(params);
    if (method === 'channel.updated' && params.removed) this.#drop(params.channel.channel);
  }

  /** Of a result of edit, delete, react, get. */
  replace(message: Message): void {
    const { channel, message_id } = message;
    this.#modify(channel, message_id, (old) => newer(old, message));
  }

  /** Nobody looks at the channel: the newest run is enough. */
  closed(channel: string): void {
    const run = this.run(channel);
    if (run.length) this.#runs.set(channel, [run.slice(-KEPT)]);
  }

  clear(): void {
    const channels = [...this.#runs.keys()];
    this.#runs.clear();
    channels.forEach((channel) => this.hooks.messagesChanged(channel));
  }

  #drop(channel: string): void {
    this.#runs.delete(channel);
    this.hooks.keep({ store: 'messages', channel, upTo: Infinity });
    this.hooks.messagesChanged(channel);
  }

  #add(message: Message): void {
    const { channel, message_id } = message;
    this.hooks.keep({ store: 'messages', key: [channel, message_id], update: (old) => newer(old, message) });
    if (message_id % TRIM_EVERY === 0 && message_id > KEPT) {
      this.hooks.keep({ store: 'messages', channel, upTo: message_id - KEPT });
    }
    // not of interest before somebody has opened the channel
    if (this.#runs.has(channel)) this.#insert(channel, [message], true);
  }

  #react(params: MessageReactedEvent): void {
    this.#modify(params.channel, params.message_id, (old) => reacted(old, params));
  }

  #modify(channel: string, message_id: number, change: (old: Message) => Message): void {
    this.hooks.keep({
      store: 'messages',
      key: [channel, message_id],
      update: (old: Message | undefined) => old && change(old),
    });
    const runs = this.#runs.get(channel);
    const at = runs?.findIndex((run) => first(run) <= message_id && message_id <= last(run)) ?? -1;
    if (!runs || at < 0) return;
    const run = [...runs[at]!];
    run[message_id - first(run)] = change(run[message_id - first(run)]!);
    runs[at] = run;
    this.hooks.messagesChanged(channel);
  }

  #insert(channel: string, messages: Run, tell: boolean): void {
    const runs: Run[] = [];
    let merged = messages;
    for (const run of this.#runs.get(channel) ?? []) {
      if (last(run) + 1 < first(merged) || last(merged) + 1 < first(run)) runs.push(run);
      else merged = join(run, merged);
    }
    runs.push(merged);
    this.#runs.set(channel, runs.sort((a, b) => first(a) - first(b)));
    if (tell) this.hooks.messagesChanged(channel);
  }
}

/** Two runs that overlap or touch; where both have a message, the newer view of it. */
function join(old: Run, came: Run): Run {
  if (first(came) === last(old) + 1) return [...old, ...came];
  const messages = [...old.filter((m) => m.message_id < first(came))];
  for (const message of came) {
    const index = message.message_id - first(old);
    messages.push(newer(index >= 0 ? old[index] : undefined, message));
  }
  return [...messages, ...old.filter((m) => m.message_id > last(came))];
}
