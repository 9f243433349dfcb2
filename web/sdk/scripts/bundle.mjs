// The SDK as a page without a bundler gets it: one minified file, and another
// that is loaded only where WebSocket is blocked.
import { resolve } from 'node:path';
import { rolldown } from 'rolldown';

/** {name: code}; the first is the one to import. */
export async function bundle() {
  const build = await rolldown({
    input: { 'chat-sdk.min': resolve(import.meta.dirname, '../src/index.ts') },
    platform: 'browser',
    // what both files need stands in the first
    preserveEntrySignatures: 'allow-extension',
  });
  const { output } = await build.generate({
    format: 'esm',
    minify: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'chat-sdk.[name].min.js',
  });
  await build.close();
  // only a bundler that comes after us would want the marks
  return Object.fromEntries(output.map(({ fileName, code }) => [fileName, code.replaceAll('/* @__PURE__ */ ', '')]));
}
