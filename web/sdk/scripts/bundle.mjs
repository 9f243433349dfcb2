// All of the SDK in one minified file, as a page gets it.
import { resolve } from 'node:path';
import { rolldown } from 'rolldown';

export async function bundle() {
  const build = await rolldown({ input: resolve(import.meta.dirname, '../src/index.ts'), platform: 'browser' });
  const { output } = await build.generate({ format: 'esm', minify: true });
  await build.close();
  // only a bundler that comes after us would want them
  return output[0].code.replaceAll('/* @__PURE__ */ ', '');
}
