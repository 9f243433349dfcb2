// A TCP proxy that breaks connections as networks do.
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';

export class Proxy {
  readonly sockets = new Set<Socket>();
  accepted = 0;
  /** New connections are refused. */
  closed = false;

  private constructor(
    private readonly server: NetServer,
    readonly url: string,
  ) {}

  static async to(port: number): Promise<Proxy> {
    let proxy: Proxy;
    const server = createServer((client) => proxy.accept(client, port)).listen(0, '127.0.0.1');
    await new Promise((go) => server.once('listening', go));
    proxy = new Proxy(server, `http://127.0.0.1:${(server.address() as { port: number }).port}`);
    return proxy;
  }

  /** Ends all that stand, in the middle of whatever they carry. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  down(): void {
    this.closed = true;
    this.cut();
  }

  up(): void {
    this.closed = false;
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private accept(client: Socket, port: number): void {
    if (this.closed) return void client.destroy();
    this.accepted++;
    const upstream = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
