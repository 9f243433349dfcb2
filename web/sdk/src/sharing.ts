// How the tabs of one page speak to each other.  The tab that has the
// connection tells what happens; the others repeat it, and ask it for calls.
import type { Core } from './core.ts';
import { asChatError, ChatError } from './errors.ts';
import type { ModelSnapshot } from './model.ts';
import type { OutboxChange } from './outbox.ts';
import { type TabMessage, Tabs } from './tabs.ts';
import { LONGEST_TIMER } from './timing.ts';
import type { CallOptions, ChatState, OutboxEntry } from './types.ts';

interface PendingCall {
  method: string;
  params: any;
  options: CallOptions;
  resolve(result: any): void;
  reject(error: Error): void;
}

interface Snapshot {
  state: ChatState;
  cursor: number | null;
  model: ModelSnapshot;
  outbox: readonly OutboxEntry[];
}

type Handlers = Record<string, (message: TabMessage) => void>;

/** The tab that leads allows a call its time; that long after it nobody leads. */
const GRACE = 1_000;

export class Sharing {
  readonly #tabs: Tabs;
  readonly #calls = new Map<number, PendingCall>();
  readonly #othersWatch = new Map<string, string[]>();
  #next = 1;
  #joined = false;
  #joining: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly core: Core) {
    this.#tabs = new Tabs(core.options.name ?? 'chat', core.options.tabs, {
      message: (message) => this.#heard(message),
      lead: () => this.#lead(),
      demoted: () => {
        core.follow();
        this.#join();
      },
    });
  }

  async start(): Promise<void> {
    if (await this.#tabs.start()) this.#lead();
    else this.#join();
  }

  close(): void {
    clearTimeout(this.#joining);
    this.post('bye');
    this.#tabs.close();
    for (const call of [...this.#calls.values()]) call.reject(new ChatError(0, 'stopped'));
  }

  post(type: string, more: object = {}): void {
    this.#tabs.post({ ...more, type });
  }

  /** By the other tabs. */
  watched(): string[] {
    return [...this.#othersWatch.values()].flat();
  }

  /** Through the tab that leads; asked again of the next one, should that change. */
  call(method: string, params: any, options: CallOptions): Promise<any> {
    const id = this.#next++;
    let over: ReturnType<typeof setTimeout>;
    return new Promise((resolve, reject) => {
      const call: PendingCall = { method, params, options, resolve, reject };
      const ms = (options.timeout ?? this.core.timing.call) + GRACE;
      over = setTimeout(() => reject(new ChatError(0, 'timeout')), Math.min(ms, LONGEST_TIMER));
      options.signal?.addEventListener('abort', () => reject(new ChatError(0, 'aborted')));
      this.#calls.set(id, call);
      this.#ask(id, call);
    }).finally(() => {
      clearTimeout(over);
      this.#calls.delete(id);
    });
  }

  #ask(id: number, { method, params, options }: PendingCall): void {
    this.post('call', { id, method, params, timeout: options.timeout });
  }

  #lead(): void {
    clearTimeout(this.#joining);
    this.#joined = true;
    this.core.lead();
    this.post('leader');
    for (const { method, params, options, resolve, reject } of [...this.#calls.values()]) {
      this.core.call(method, params, options).then(resolve, reject);
    }
  }

  /** Asks the tab that leads for what it knows; one that does not answer is frozen. */
  #join(): void {
    this.#joined = false;
    this.post('hello', { users: [...this.core.watches.keys()] });
    clearTimeout(this.#joining);
    this.#joining = setTimeout(() => this.#tabs.steal(), this.core.timing.leader);
  }

  #heard(message: TabMessage): void {
    const handlers = this.core.state.leader ? this.#leading : this.#following;
    (handlers[message.type] ?? this.#either[message.type])?.(message);
  }

  readonly #leading: Handlers = {
    hello: ({ from, users }) => {
      this.#othersWatch.set(from, users);
      const { state, cursor, model, outbox } = this.core;
      const snapshot: Snapshot = { state, cursor, model: model.snapshot(), outbox: outbox.list() };
      this.post('snapshot', { to: from, snapshot });
    },
    call: ({ from: to, id, method, params, timeout }) => {
      this.core.call(method, params, { timeout }).then(
        (result) => this.post('result', { to, id, result }),
        (error) => {
          const { code, reason, message, param, retry_after } = asChatError(error);
          this.post('result', { to, id, error: { code, reason, message, param, retry_after } });
        },
      );
    },
    do: ({ method, args }) => (this.core as any)[method](...args),
    watch: ({ from, users }) => {
      this.#othersWatch.set(from, users);
      if (this.core.engine.connection.isOnline) void this.core.engine.watch(users);
    },
    bye: ({ from }) => void this.#othersWatch.delete(from),
  };

  readonly #following: Handlers = {
    leader: () => {
      this.#join();
      for (const [id, call] of this.#calls) this.#ask(id, call);
      // with storage gone only this tab has them
      for (const entry of this.core.entries()) this.post('do', { method: 'send', args: [entry] });
    },
    snapshot: ({ snapshot }) => this.#take(snapshot as Snapshot),
    state: ({ state }) => {
      if (this.#joined) this.core.setState({ ...state, leader: false });
    },
    event: ({ method, params }) => {
      if (!this.#joined) return;
      const id = method === 'session.ready' ? undefined : params.inbox_id;
      if (id !== undefined) {
        // one was missed: this tab was frozen
        if (this.core.cursor !== null && id !== this.core.cursor + 1) return this.#join();
        this.core.cursor = id;
      }
      this.core.happened(method, params);
    },
    applied: ({ method, params, result }) => {
      if (this.#joined) this.core.model.applyResult(method, params, result);
    },
    result: ({ id, result, error }) => {
      const call = this.#calls.get(id);
      if (error) call?.reject(new ChatError(error.code, error.reason, error.message, error));
      else call?.resolve(result);
    },
    outbox: ({ change }) => {
      this.core.outbox.follow(change as OutboxChange);
      this.core.outboxTold(change as OutboxChange);
    },
    reset: () => {
      this.core.cursor = null;
      this.core.forget();
    },
  };

  readonly #either: Handlers = {
    read: ({ channel, message_id }) => void this.core.model.channels.read(channel, message_id),
    session: ({ session, reason, renewed }) => {
      if (session === null) return void this.core.signedOut(reason, false);
      if (renewed) {
        this.core.account.session = session;
        return;
      }
      this.core.adopt(session);
      if (this.core.state.leader) this.core.connect();
    },
  };

  #take({ state, cursor, model, outbox }: Snapshot): void {
    clearTimeout(this.#joining);
    this.#joined = true;
    this.core.cursor = cursor;
    this.core.state = { ...this.core.state, user: state.user };
    this.core.model.restore(model);
    this.core.outbox.restore(outbox);
    this.core.outboxListChanged();
    this.core.setState({ ...state, leader: false });
  }
}
