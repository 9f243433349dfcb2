// Screenshots for people to look at, in objs/screenshots.

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const FOLDER = process.env.CHAT_SCREENSHOTS ?? join(process.env.CHAT_OBJS ?? resolve(import.meta.dirname, '../../../../../objs'), 'screenshots');

export async function shot(device, name) {
  mkdirSync(FOLDER, { recursive: true });
  await device.page.screenshot({ path: join(FOLDER, `${name}.png`), animations: 'disabled' });
}
