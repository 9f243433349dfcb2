// A server of its own for a test: what `make run` starts, in a scratch folder.

import { execFileSync, spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from './until.mjs';

const ROOT = resolve(import.meta.dirname, '../../../../..');

/** Below those that the kernel hands out: no connection of another test gets it while the server is not there. */
async function freePort() {
  const first = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t')[0]);
  const low = first > 11_000 ? 10_000 : 1024;
  for (;;) {
    const port = randomInt(low, Math.max(first, low + 1000));
    const server = createServer();
    const free = await new Promise((done) => server.once('error', () => done(false)).listen(port, () => done(true)));
    if (!free) continue;
    await new Promise((done) => server.close(done));
    return port;
  }
}

export class Server {
  /** Starts one; `rate` as RATE of `make run`. */
  static async start({ rate = '' } = {}) {
    for (let tries = 1; ; tries++) {
      const server = new Server(await freePort(), mkdtempSync(join(tmpdir(), 'web-')), rate);
      try {
        await server.up();
        return server;
      } catch (error) {
        // somebody else may have taken the port meanwhile
        if (tries === 3 || !/in use|is taken/.test(error.message)) throw error;
      }
    }
  }

  constructor(port, directory, rate) {
    Object.assign(this, { port, directory, rate, url: `http://127.0.0.1:${port}/`, tokens: new Map() });
  }

  /** Runs it, again with what is there. */
  up() {
    this.process = spawn(join(ROOT, 'tools/run'), [String(this.port), this.directory, this.rate], { cwd: ROOT });
    let said = '';
    return new Promise((done, fail) => {
      const hear = (data) => {
        said += data;
        if (said.includes('chat ready')) done();
      };
      this.process.stdout.on('data', hear);
      this.process.stderr.on('data', hear);
      this.process.on('exit', () => fail(new Error(`the server ended: ${said}`)));
    });
  }

  pid(file) {
    return Number(readFileSync(join(this.directory, file), 'utf8'));
  }

  /** The processes of chatd. */
  pool() {
    return withChildren([this.pid('chat/chatd.pid')]);
  }

  /** SIGKILL to all its processes at once. */
  async kill() {
    const roots = [this.pid('nginx.pid'), this.pid('chat/chatd.pid')];
    const ended = new Promise((done) => this.process.on('exit', done));
    const all = withChildren(roots);
    for (const pid of all) process.kill(pid, 'SIGKILL');
    await ended;
    // a worker process that is not gone yet has the port
    await until(() => !all.some(runs), 'all processes to be gone');
  }

  /** Ends it as Ctrl-C does, and takes the folder away. */
  async end() {
    if (this.process.exitCode === null) {
      const ended = new Promise((done) => this.process.on('exit', done));
      this.process.kill('SIGINT');
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  token(user, ...claims) {
    return execFileSync(join(ROOT, 'tools/token'), [user, join(this.directory, 'jwt.key'), ...claims], { encoding: 'utf8' }).trim();
  }

  /** One call over HTTP for a user with a token of the site; it is repeated where the pool was too slow to say whether it was done. */
  async call(user, method, params) {
    if (!this.tokens.has(user)) this.tokens.set(user, this.token(user));
    const once = /\.(get|list|read)$/.test(method) ? {} : { client_id: randomUUID() };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...once, ...params } });
    const headers = { Authorization: `Bearer ${this.tokens.get(user)}`, 'Content-Type': 'application/json' };
    return until(async () => {
      const answer = await (await fetch(`${this.url}rpc`, { method: 'POST', headers, body })).json();
      if (answer.result) return answer.result;
      if ((answer.reason ?? answer.error?.data?.reason) !== 'unavailable') throw new Error(`${method}: ${JSON.stringify(answer)}`);
    }, method);
  }
}

/** State and parent of a process; nothing of one that is gone. */
function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

const runs = (pid) => /^[^ZX]/.test(statOf(pid)[0] ?? '');

function withChildren(roots) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) parents.set(Number(name), Number(statOf(name)[1]));
  const found = [...roots];
  for (let i = 0; i < found.length; i++) for (const [pid, parent] of parents) if (parent === found[i]) found.push(pid);
  return found;
}
