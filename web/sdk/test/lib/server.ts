// Starts nginx with the module and its pool in a directory of its own on a free
// port, as tests/lib/chat.py does for the other tests.  CHAT_OBJS has the
// module and chatd, CHAT_NGINX is the nginx.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, chmodSync, readdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { changes } from '../../src/calls.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
const OBJS = process.env.CHAT_OBJS ?? join(ROOT, 'objs');
const NGINX = process.env.CHAT_NGINX ?? '/usr/sbin/nginx';
const ASAN = Boolean(process.env.CHAT_ASAN);
const KEY = '0123456789abcdef0123456789abcdef';

export interface ServerOptions {
  /** Lines of nginx.conf for each location, the server, and all of http. */
  ws?: string;
  rpc?: string;
  api?: string;
  http?: string;
  server?: string;
  /** Locations that are not there: a network that blocks them. */
  without?: ('ws' | 'events')[];
}

export const until = async <T>(condition: () => T | Promise<T>, what: string, ms = 60_000): Promise<NonNullable<T>> => {
  const end = performance.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error('waited for ' + what);
    await new Promise((go) => setTimeout(go, 5));
  }
};

/** Below those that the kernel hands out: no connection of another test gets it while the server is not there. */
export async function freePort(): Promise<number> {
  const first = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t')[0]);
  const low = first > 11_000 ? 10_000 : 1024;
  for (;;) {
    const port = randomInt(low, Math.max(first, low + 1000));
    const server = createServer();
    const free = await new Promise((go) => server.once('error', () => go(false)).listen(port, '127.0.0.1', () => go(true)));
    if (!free) continue;
    await new Promise((go) => server.close(go));
    return port;
  }
}

const base64 = (data: string | Buffer) => Buffer.from(data).toString('base64url');

export function sign(claims: Record<string, unknown>): string {
  const text = base64('{"alg":"HS256","typ":"JWT"}') + '.' + base64(JSON.stringify(claims));
  return text + '.' + createHmac('sha256', KEY).update(text).digest('base64url');
}

export const token = (user: string, claims: Record<string, unknown> = {}): string => {
  const now = Math.floor(Date.now() / 1000);
  return sign({ sub: user, iat: now, exp: now + 3600, ...claims });
};

const children = (pid: number): number[] => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
};

export class Server {
  readonly dir = mkdtempSync(join(tmpdir(), 'chat-sdk-'));
  readonly url: string;
  private nginx: ChildProcess | null = null;

  private constructor(
    readonly port: number,
    private options: ServerOptions,
  ) {
    this.url = `http://127.0.0.1:${port}`;
    chmodSync(this.dir, 0o755);
    writeFileSync(join(this.dir, 'key'), KEY + '\n');
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    for (let tries = 1; ; tries++) {
      const server = new Server(await freePort(), options);
      try {
        await server.up();
        return server;
      } catch (error) {
        // another test may have taken the port meanwhile
        if (tries === 3 || !/in use/.test(String(error))) throw error;
        rmSync(server.dir, { recursive: true, force: true });
      }
    }
  }

  async up(): Promise<void> {
    writeFileSync(join(this.dir, 'nginx.conf'), this.configuration());
    const args = ['-p', this.dir + '/', '-c', join(this.dir, 'nginx.conf'), '-e', join(this.dir, 'error.log')];
    this.nginx = spawn(NGINX, args, { stdio: 'ignore', detached: true });
    await until(() => this.answers(), 'the server to answer');
  }

  /** Ends nginx and the pool; what is stored stays. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const pool = this.pool();
    const nginx = this.nginx;
    this.nginx = null;
    if (nginx && nginx.exitCode === null) {
      const ended = new Promise((go) => nginx.once('exit', go));
      nginx.kill(signal);
      await ended;
    }
    if (pool && existsSync(`/proc/${pool}`)) {
      process.kill(pool, 'SIGTERM');
      await until(() => !existsSync(`/proc/${pool}`), 'the pool to end');
    }
  }

  async stop(): Promise<void> {
    const bad = this.badLines();
    await this.down();
    if (!process.env.CHAT_KEEP) rmSync(this.dir, { recursive: true, force: true });
    if (bad.length) throw new Error('in the logs:\n' + bad.join('\n'));
  }

  /** Another configuration for the workers to come; those that are there drain. */
  async reload(options: ServerOptions = this.options): Promise<void> {
    this.options = options;
    writeFileSync(join(this.dir, 'nginx.conf'), this.configuration());
    const before = children(this.nginx!.pid!);
    this.nginx!.kill('SIGHUP');
    await until(() => children(this.nginx!.pid!).some((pid) => !before.includes(pid)), 'new workers');
  }

  /** Kills a role of the pool: `chatd: store`, `chatd: worker 0`. */
  kill(title: string): void {
    const pid = children(this.pool()!).find((child) =>
      readFileSync(`/proc/${child}/cmdline`, 'utf8').startsWith(title),
    );
    process.kill(pid!, 'SIGKILL');
  }

  /** Cuts every connection, as a broken network does: nginx's workers are killed and come again. */
  killWorkers(): void {
    for (const pid of children(this.nginx!.pid!)) process.kill(pid, 'SIGKILL');
  }

  resetStore(): void {
    rmSync(join(this.dir, 'store'), { recursive: true, force: true });
  }

  /** Repeated where the pool was too slow to say whether it was done. */
  rpc<T = any>(user: string, method: string, params: object = {}): Promise<T> {
    const once = changes(method) ? { client_id: randomUUID() } : {};
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...once, ...params } });
    const headers = { Authorization: 'Bearer ' + token(user), 'Content-Type': 'application/json' };
    return until(async () => {
      const answer = (await (await fetch(this.url + '/rpc', { method: 'POST', headers, body })).json()) as any;
      if (answer.result) return answer.result;
      if ((answer.reason ?? answer.error?.data?.reason) !== 'unavailable') throw new Error(JSON.stringify(answer));
    }, method);
  }

  send(from: string, to: string, text: string): Promise<{ channel: string; message_id: number; inbox_id: number }> {
    return this.rpc(from, 'message.send', { to, text, client_id: randomBytes(8).toString('hex') });
  }

  private pool(): number | null {
    try {
      return Number(readFileSync(join(this.dir, 'run/chatd.pid'), 'utf8')) || null;
    } catch {
      return null;
    }
  }

  private async answers(): Promise<boolean> {
    if (this.nginx!.exitCode !== null) throw new Error('nginx ended: ' + this.log());
    try {
      const probes = await Promise.all([0, 1, 2, 3].map((i) => this.rpc('probe' + i, 'channel.list')));
      return probes.length > 0;
    } catch {
      return false;
    }
  }

  private log(): string {
    const files = ['error.log', ...readdirSync(this.dir).filter((name) => name === 'run').map(() => 'run/chatd.log')];
    return files.map((name) => (existsSync(join(this.dir, name)) ? readFileSync(join(this.dir, name), 'utf8') : '')).join('');
  }

  private badLines(): string[] {
    const bad = /\[(alert|emerg|crit)\]|runtime error:|Sanitizer/;
    // workers that a test killed are told as [alert]
    return this.log()
      .split('\n')
      .filter((line) => bad.test(line) && !/exited on signal (9|15)/.test(line));
  }

  private configuration(): string {
    const { ws = '', rpc = '', api = '', http = '', server = '', without = [] } = this.options;
    const dir = this.dir;
    mkdirSync(join(dir, 'tmp'), { recursive: true });
    return `
${ASAN ? '' : `load_module ${OBJS}/ngx_chat_module.so;`}
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log notice; worker_processes 2;
events { worker_connections 1024; }
http {
    access_log off;
    ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((n) => `${n}_temp_path ${dir}/tmp/${n};`).join('\n    ')}
    chat_workers 2; chat_program ${OBJS}/chatd; chat_run_dir ${dir}/run; chat_store leveldb:${dir}/store;
    chat_jwt_key ${dir}/key;
    ${http}
    server {
        listen 127.0.0.1:${this.port};
        ${without.includes('ws') ? 'location = /ws { return 404; }' : `location = /ws { chat_websocket; ${ws} }`}
        ${without.includes('events') ? 'location = /v1/events { return 404; }' : ''}
        location = /rpc { chat_rpc; ${rpc} }
        location /v1/ { chat_api; ${api} }
        ${server}
    }
}
`;
  }
}

/** Whether a TCP connection is taken. */
export const listens = (port: number): Promise<boolean> =>
  new Promise((go) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), go(true)));
    socket.once('error', () => go(false));
  });
