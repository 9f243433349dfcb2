// One tab of all that have the page open holds a lock, and with it the
// connection; the others speak to it over a broadcast channel.  Where either
// is missing each tab is on its own.
import { clientId } from './client_id.ts';

export interface TabMessage {
  type: string;
  /** The tab that said it. */
  from: string;
  /** One tab; without it all. */
  to?: string;
  [more: string]: any;
}

export interface TabHooks {
  message(message: TabMessage): void;
  /** This tab leads from now on. */
  lead(): void;
  /** Another took the lock away, since we did not answer. */
  demoted(): void;
}

export class Tabs {
  readonly id = clientId();
  #channel: BroadcastChannel | null = null;
  #abort = new AbortController();
  #release: (() => void) | null = null;
  #closed = false;

  constructor(
    private readonly name: string,
    shared: boolean | undefined,
    private readonly hooks: TabHooks,
  ) {
    const possible = typeof BroadcastChannel !== 'undefined' && globalThis.navigator?.locks !== undefined;
    if (possible && (shared ?? typeof document !== 'undefined')) {
      this.#channel = new BroadcastChannel(name);
      this.#channel.onmessage = ({ data }: { data: TabMessage }) => {
        if (!this.#closed && (data.to === undefined || data.to === this.id)) hooks.message(data);
      };
    }
  }

  get shared(): boolean {
    return this.#channel !== null;
  }

  /** Whether this tab leads at once; else lead() is called when it is its turn. */
  start(): Promise<boolean> {
    if (!this.shared) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#request({ ifAvailable: true }, (got) => {
        resolve(got);
        if (!got) this.#queue();
      });
    });
  }

  post(message: Omit<TabMessage, 'from'>): void {
    if (!this.#closed) this.#channel?.postMessage({ ...message, from: this.id });
  }

  /** The one that leads does not answer (frozen, say): takes over. */
  steal(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#request({ steal: true }, () => this.hooks.lead());
  }

  close(): void {
    this.#closed = true;
    this.#abort.abort();
    this.#release?.();
    this.#channel?.close();
  }

  #queue(): void {
    this.#request({ signal: this.#abort.signal }, () => this.hooks.lead());
  }

  #request(options: LockOptions, then: (got: boolean) => void): void {
    let held = false;
    navigator.locks
      .request(this.name, options, (lock) => {
        if (this.#closed) return;
        held = lock !== null;
        then(held);
        return held ? new Promise<void>((resolve) => (this.#release = resolve)) : undefined;
      })
      .catch(() => {
        if (!held || this.#closed) return;
        this.hooks.demoted();
        this.#queue();
      });
  }
}
