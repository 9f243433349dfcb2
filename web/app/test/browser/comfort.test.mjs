// What one notices only when it is not there: nothing cut off, nothing lost
// that was typed, nothing done twice, the keyboard where one wants it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Device, launch, until } from './lib/device.mjs';
import { Server } from './lib/server.mjs';

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

async function enter(user, options) {
  const device = await Device.open(browser, server, options);
  await device.useToken(user, `dev=${user}-web`, `jti=${user}`);
  return device;
}

let sends = 0;
const send = (user, to, text) => server.call(user, 'message.send', { to, client_id: `${++sends}`, text });

test('a long last message does not push time and count out of its row', async () => {
  await send('amy', 'bea', 'so much to tell, '.repeat(20));
  const bea = await enter('bea');
  const row = await bea.row('amy').boundingBox();
  for (const part of ['.badge', '.channel-time']) {
    const { x, width } = await bea.row('amy').locator(part).boundingBox();
    assert.ok(x + width <= row.x + row.width, `${part} ends at ${x + width}, the row at ${row.x + row.width}`);
  }
  await bea.close();
});
