// What axe-core finds on a page, the serious and the critical of it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function violations(page) {
  await page.evaluate(source);
  // half a fade has half the contrast
  await page.evaluate(() =>
    Promise.allSettled(document.getAnimations().filter((a) => a.effect.getComputedTiming().iterations === 1).map((a) => a.finished)),
  );
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).slice(0, 4).join('; ')}`);
}
