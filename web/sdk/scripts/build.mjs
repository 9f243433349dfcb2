// Builds the package into objs/web-sdk: modules with their types as they are
// in src/, and chat-sdk.min.js for a page without a bundler.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { bundle } from './bundle.mjs';

const here = resolve(import.meta.dirname, '..');
const out = resolve(process.env.CHAT_OBJS ?? resolve(here, '../../objs'), 'web-sdk');

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
execFileSync('npx', ['tsc', '-p', resolve(here, 'tsconfig.build.json'), '--outDir', out], { cwd: here, stdio: 'inherit' });

for (const [name, code] of Object.entries(await bundle())) writeFileSync(resolve(out, name), code);

const { name, version, description } = JSON.parse(readFileSync(resolve(here, 'package.json'), 'utf8'));
const manifest = {
  name,
  version,
  description,
  type: 'module',
  sideEffects: false,
  exports: { '.': { types: './index.d.ts', default: './index.js' } },
  engines: { node: '>=20' },
};
writeFileSync(resolve(out, 'package.json'), JSON.stringify(manifest, null, 2) + '\n');
cpSync(resolve(here, 'README.md'), resolve(out, 'README.md'));
