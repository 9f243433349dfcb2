// Web Locks for Node 20, as much as tabs.ts uses: exclusive, ifAvailable, steal, signal.
interface Request {
  callback: (lock: unknown) => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  signal?: AbortSignal;
}

export class Locks {
  private held = new Map<string, Request>();
  private waiting = new Map<string, Request[]>();

  request(name: string, options: LockOptions, callback: (lock: unknown) => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request: Request = { callback, resolve, reject, signal: options.signal };
      options.signal?.addEventListener('abort', () => {
        const queue = this.waiting.get(name) ?? [];
        if (!queue.includes(request)) return;
        this.waiting.set(name, queue.filter((other) => other !== request));
        reject(new DOMException('aborted', 'AbortError'));
      });
      if (options.steal) {
        this.held.get(name)?.reject(new DOMException('stolen', 'AbortError'));
        this.held.delete(name);
      }
      if (!this.held.has(name)) return this.grant(name, request);
      if (options.ifAvailable) return void Promise.resolve(callback(null)).then(resolve, reject);
      this.waiting.set(name, [...(this.waiting.get(name) ?? []), request]);
    });
  }

  private grant(name: string, request: Request): void {
    this.held.set(name, request);
    void Promise.resolve()
      .then(() => request.callback({ name, mode: 'exclusive' }))
      .then(request.resolve, request.reject)
      .finally(() => {
        if (this.held.get(name) !== request) return;
        this.held.delete(name);
        // the next one hears of it later than messages of the one before
        setTimeout(() => {
          const next = this.held.has(name) ? undefined : this.waiting.get(name)?.shift();
          if (next) this.grant(name, next);
        }, 20);
      });
  }
}
