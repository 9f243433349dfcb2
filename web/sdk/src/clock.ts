// The server's clock.  The one of this machine may be wrong by days; only
// differences of it are used once the server has told its time.
export class Clock {
  offset = 0;
  /** Whether the server has told its time yet, now or before a reload. */
  known = false;

  now(): number {
    return Math.round(Date.now() + this.offset);
  }

  /** What was known before a reload. */
  restore(offset: number): void {
    this.offset = offset;
    this.known = true;
  }

  set(server_time: number): void {
    this.restore(server_time - Date.now());
  }
}
