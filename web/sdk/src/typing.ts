// Who types where: told at most every two seconds, shown for a few.
import type { Timing } from './timing.ts';

export class Typing {
  readonly #sent = new Map<string, number>();
  readonly #shown = new Map<string, Map<string, ReturnType<typeof setTimeout>>>();

  constructor(
    private readonly timing: Timing,
    private readonly changed: (channel: string) => void,
  ) {}

  /** Whether it is time to tell. */
  due(channel: string): boolean {
    const now = performance.now();
    const due = now - (this.#sent.get(channel) ?? -Infinity) >= this.timing.typing;
    if (due) this.#sent.set(channel, now);
    return due;
  }

  in(channel: string): readonly string[] {
    return [...(this.#shown.get(channel)?.keys() ?? [])];
  }

  apply(method: string, { channel, user, message }: any): void {
    if (method === 'typing') {
      const users = this.#shown.get(channel) ?? new Map();
      this.#shown.set(channel, users);
      clearTimeout(users.get(user));
      const fresh = !users.has(user);
      users.set(
        user,
        setTimeout(() => this.#hide(channel, user), this.timing.typing_shown),
      );
      if (fresh) this.changed(channel);
    }
    if (method === 'message.new') this.#hide(message.channel, message.sender);
  }

  clear(): void {
    for (const [channel, users] of this.#shown) for (const user of users.keys()) this.#hide(channel, user);
  }

  #hide(channel: string, user: string): void {
    const users = this.#shown.get(channel);
    clearTimeout(users?.get(user));
    if (users?.delete(user)) this.changed(channel);
  }
}
