import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
// @ts-expect-error: a script
import { bundle } from '../../scripts/bundle.mjs';
// @ts-expect-error: a script
import { generate } from '../../scripts/generate.mjs';
import { changes } from '../../src/calls.ts';

const openrpc = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../../../docs/openrpc.json'), 'utf8'));

it('the types are those of docs/openrpc.json', () => {
  const source = readFileSync(resolve(import.meta.dirname, '../../src/protocol.ts'), 'utf8');
  expect(source, 'run `npm run generate -w sdk`').toBe(generate(openrpc));
});

it('every method that changes something gets a client_id, save those whose markers only grow', () => {
  const params = (method: any) => method.params.map((p: any) => p.name ?? p.$ref.split('/').pop());
  for (const method of openrpc.methods) {
    if (method['x-notification']) continue;
    const takes = params(method).some((name: string) => /^(client_id|ClientId)$/.test(name));
    const grows = ['inbox.ack', 'channel.read'].includes(method.name);
    expect([method.name, changes(method.name)]).toEqual([method.name, takes && !grows]);
  }
});

it('what a page loads is at most 15 kB gzipped, what it may load more 1.5 kB', async () => {
  const files: Record<string, string> = await bundle();
  const sizes = Object.values(files).map((code) => gzipSync(code, { level: 9 }).length);
  expect(Object.keys(files)).toEqual(['chat-sdk.min.js', 'chat-sdk.transport_http.min.js']);
  expect(sizes[0]).toBeLessThanOrEqual(15_000);
  expect(sizes[1]).toBeLessThanOrEqual(1_500);
});

it('nothing is needed at run time', () => {
  const manifest = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'));
  expect(manifest.dependencies).toBeUndefined();
});
