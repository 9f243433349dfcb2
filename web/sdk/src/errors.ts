import type { ErrorData } from './protocol.ts';

/** A refusal of the server, or one of the SDK itself (code 0: offline, timeout, aborted, stopped). */
export class ChatError extends Error {
  /** JSON-RPC or HTTP code; 0: it never reached the server, or no answer came. */
  readonly code: number;
  /** Stable, for machines. */
  readonly reason: string;
  readonly param: string | undefined;
  /** Seconds. */
  readonly retry_after: number | undefined;

  constructor(code: number, reason: string, message?: string, data?: Partial<ErrorData>) {
    super(message ?? reason);
    this.name = 'ChatError';
    this.code = code;
    this.reason = reason;
    this.param = data?.param;
    this.retry_after = data?.retry_after;
  }

  /** Trying again later can help. */
  get temporary(): boolean {
    return this.code === 0 || this.code === 429 || this.code === 503 || this.code === -32603;
  }
}

export const asChatError = (error: unknown): ChatError =>
  error instanceof ChatError ? error : new ChatError(0, 'offline', String((error as Error)?.message ?? error));
