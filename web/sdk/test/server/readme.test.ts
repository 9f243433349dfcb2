// The built package, in plain Node: every example of README.md is run, and has
// to print what its comments say.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Server, token } from '../lib/server.ts';

const run = promisify(execFile);
const SDK = resolve(import.meta.dirname, '../..');
const examples = [...readFileSync(join(SDK, 'README.md'), 'utf8').matchAll(/^```js\n([\s\S]*?)^```$/gm)].map((m) => m[1]!);
const printed = (code: string) => [...code.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map((m) => m[1]!);

describe('README.md', () => {
  let server: Server;
  let site: HttpServer;
  let siteUrl = '';

  beforeAll(async () => {
    server = await Server.start({ api: 'chat_accounts on;' });
    let users = 0;
    site = createServer((_request, response) => response.end(token(['bob', 'dave'][users++] ?? 'erin'))).listen(0, '127.0.0.1');
    await new Promise((go) => site.once('listening', go));
    siteUrl = `http://127.0.0.1:${(site.address() as { port: number }).port}`;
    await run(process.execPath, [join(SDK, 'scripts/build.mjs')], { env: { ...process.env, CHAT_OBJS: server.dir } });
    mkdirSync(join(server.dir, 'node_modules/@chat'), { recursive: true });
    symlinkSync(join(server.dir, 'web-sdk'), join(server.dir, 'node_modules/@chat/sdk'));
    symlinkSync(resolve(SDK, '../node_modules/ws'), join(server.dir, 'node_modules/ws'));
  });

  afterAll(async () => {
    site.close();
    await server.stop();
    rmSync(server.dir, { recursive: true, force: true });
  });

  it('has examples', () => expect(examples.length).toBeGreaterThanOrEqual(3));

  it.each(examples.map((code, i) => [i + 1, code] as const))('example %i prints what it says', async (n, code) => {
    const file = join(server.dir, `example${n}.mjs`);
    writeFileSync(file, code.replaceAll('https://chat.example', server.url).replaceAll('https://site.example', siteUrl));
    const { stdout, stderr } = await run(process.execPath, [file], { timeout: 240_000 });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual(printed(code));
    expect(printed(code).length).toBeGreaterThan(0);
  });
});
