// HTTP to the server: JSON-RPC by POST, the resources, and problem+json as errors.
import { asChatError, ChatError } from './errors.ts';
import type { ChatOptions } from './types.ts';

export interface HttpRequest {
  token?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

type Query = Record<string, string | number | null | undefined>;

export class Http {
  readonly #base: string;
  readonly #paths: { ws: string; rpc: string; api: string };
  readonly #fetcher: typeof fetch;

  constructor(options: ChatOptions) {
    this.#base = options.url ?? globalThis.location?.href ?? '';
    this.#paths = { ws: '/ws', rpc: '/rpc', api: '/v1', ...options.paths };
    // called without a receiver: a browser's fetch wants none but window
    const fetcher = options.fetch ?? fetch;
    this.#fetcher = (input, init) => fetcher(input, init);
  }

  url(kind: 'ws' | 'rpc' | 'api', path = '', query: Query = {}): string {
    const url = new URL(this.#paths[kind] + path, this.#base);
    if (kind === 'ws') url.protocol = url.protocol.replace('http', 'ws');
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
    }
    return url.href;
  }

  /** Throws ChatError for everything but 2xx. */
  async fetch(method: string, url: string, request: HttpRequest = {}): Promise<Response> {
    const headers: Record<string, string> = { ...request.headers };
    if (request.token) headers.Authorization = 'Bearer ' + request.token;
    if (request.body !== undefined) headers['Content-Type'] = 'application/json';
    let response: Response;
    try {
      response = await this.#fetcher(url, {
        method,
        headers,
        body: request.body === undefined ? null : JSON.stringify(request.body),
        signal: request.signal ?? null,
        cache: 'no-store',
      });
    } catch (error) {
      throw asChatError(error);
    }
    if (!response.ok) throw await problem(response);
    return response;
  }

  async json<T>(method: string, url: string, request?: HttpRequest): Promise<T> {
    const response = await this.fetch(method, url, request);
    try {
      return (response.status === 204 ? {} : await response.json()) as T;
    } catch (error) {
      throw asChatError(error);
    }
  }

  async rpc<T>(token: string, device: string | null, method: string, params: unknown, signal?: AbortSignal): Promise<T> {
    const answer = await this.json<{ result: T; error?: RpcError }>('POST', this.url('rpc', '', { device }), {
      token,
      body: { jsonrpc: '2.0', id: 1, method, params },
      signal,
    });
    if (answer.error) throw rpcError(answer.error);
    return answer.result;
  }
}

export interface RpcError {
  code: number;
  message: string;
  data?: { reason: string; param?: string; retry_after?: number };
}

export const rpcError = (error: RpcError): ChatError =>
  new ChatError(error.code, error.data?.reason ?? 'error', error.message, error.data);

async function problem(response: Response): Promise<ChatError> {
  const body = await response.json().catch(() => ({}));
  const seconds = Number(response.headers.get('Retry-After')) || body.retry_after;
  return new ChatError(
    // where JSON-RPC has a code of its own for it, that one counts
    body.code ?? response.status,
    body.reason ?? 'http_' + response.status,
    body.detail ?? response.statusText,
    { param: body.param, retry_after: seconds || undefined },
  );
}
