// Who types where: told at most every two seconds, shown for a few.
import type { Timing } from './timing.ts';

export class Typing {
  #sent = new Map<string, number>();
  #shown = new Map<string, Map<string, ReturnType<typeof setTimeout>>>();

  constructor(
    private readonly timing: Timing,
    private readonly changed: (channel: string) => void,
  ) {}

  /** Whether it is time to tell. */
  due(channel: string): boolean {
    const now = performance.now();
    if (now - (this.#sent.get(channel) ?? -Infinity) < this.timing.typing) return false;
    this.#sent.set(channel, now);
    return true;
  }

  in(channel: string): readonly string[] {
    return [...(this.#shown.get(channel)?.keys() ?? [])];
  }

  apply(method: string, params: any): void {
    if (method === 'typing') this.#show(params.channel, params.user);
    if (method === 'message.new') this.#hide(params.message.channel, params.message.sender);
  }

  clear(): void {
    for (const [channel, users] of this.#shown) for (const user of [...users.keys()]) this.#hide(channel, user);
  }

  #show(channel: string, user: string): void {
    let users = this.#shown.get(channel);
    if (!users) this.#shown.set(channel, (users = new Map()));
    const known = users.get(user);
    clearTimeout(known);
    users.set(
      user,
      setTimeout(() => this.#hide(channel, user), this.timing.typing_shown),
    );
    if (known === undefined) this.changed(channel);
  }

  #hide(channel: string, user: string): void {
    const users = this.#shown.get(channel);
    if (!users?.has(user)) return;
    clearTimeout(users.get(user));
    users.delete(user);
    this.changed(channel);
  }
}
