import { resolve } from 'node:path';
import { defineConfig } from 'vite';
import { precache } from './build/precache.ts';

const here = import.meta.dirname;

export default defineConfig({
  root: here,
  plugins: [precache()],
  build: {
    outDir: resolve(process.env['CHAT_OBJS'] ?? resolve(here, '../../objs'), 'web'),
    emptyOutDir: true,
    target: 'es2022',
    // no inline script and no data: address, which the policy of the page forbids
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { main: resolve(here, 'index.html'), 'service-worker': resolve(here, 'src/worker/service_worker.ts') },
      output: {
        entryFileNames: (chunk) => (chunk.name === 'service-worker' ? 'service-worker.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
});
