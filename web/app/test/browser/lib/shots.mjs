// Screenshots for people to look at, in objs/screenshots.

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const FOLDER = process.env.CHAT_SCREENSHOTS ?? join(process.env.CHAT_OBJS ?? resolve(import.meta.dirname, '../../../../../objs'), 'screenshots');

export async function shot(device, name) {
  // notes that happen to be there are not part of the picture
  await device.page.evaluate(() => document.querySelectorAll('.note [aria-label=Dismiss]').forEach((b) => b.click()));
  mkdirSync(FOLDER, { recursive: true });
  await device.page.screenshot({ path: join(FOLDER, `${name}.png`), animations: 'disabled' });
}
