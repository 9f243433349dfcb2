// What the three transports have in common: they carry calls to the server,
// bring notifications, and say once why they ended.
import type { DeviceId, InboxId, SessionReadyEvent } from './protocol.ts';
import type { Http } from './http.ts';
import type { Timing } from './timing.ts';
import type { TransportName, WebSocketClass } from './types.ts';

/** Why a transport ended: a close code of WebSocket or an HTTP status, 0 when it was just cut. */
export interface Closed {
  code: number;
  reason: string;
  /** ms the server wants us to stay away */
  wait?: number;
}

export interface TransportHost {
  http: Http;
  timing: Timing;
  token: string;
  device: DeviceId | null;
  after: InboxId | null;
  WebSocket: WebSocketClass | null;
  ready(params: SessionReadyEvent): void;
  event(method: string, params: any): void;
  /** Once, also before ready; not after close(). */
  closed(info: Closed): void;
}

export interface Transport {
  readonly name: TransportName;
  /** One try.  `arrived` runs before anything that came later is told. */
  request(method: string, params: unknown, arrived?: (result: any) => void): Promise<any>;
  notify(method: string, params: unknown): void;
  /** Goes on with a newer token; false: it has to be opened anew for that. */
  renew(token: string): Promise<boolean>;
  /** Finds out whether it still works. */
  check(): void;
  close(): void;
}

export type OpenTransport = (host: TransportHost) => Transport;
