// Gives the service worker its list: every file of the build, and a version
// that changes with any of them.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Plugin } from 'vite';

const WORKER = 'service-worker.js';

export function precache(): Plugin {
  let out = '';
  return {
    name: 'precache',
    apply: 'build',
    configResolved(config) {
      out = config.build.outDir;
    },
    closeBundle() {
      const files = readdirSync(out, { recursive: true, withFileTypes: true })
        .filter((f) => f.isFile() && f.name !== WORKER)
        .map((f) => relative(out, join(f.parentPath, f.name)))
        .sort();
      const hash = createHash('sha256');
      for (const file of files) hash.update(file).update(readFileSync(join(out, file)));
      const urls = files.map((f) => (f === 'index.html' ? '/' : `/${f}`));
      const path = join(out, WORKER);
      const code = readFileSync(path, 'utf8')
        .replaceAll('__FILES__', JSON.stringify(urls))
        .replaceAll('__VERSION__', JSON.stringify(hash.digest('hex').slice(0, 16)));
      writeFileSync(path, code);
    },
  };
}
