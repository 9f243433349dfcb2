// What the page may cost, and what nginx says with it.  Times are printed,
// never judged: a busy machine is no fault of the page.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Device, launch, until } from './lib/device.mjs';
import { Server } from './lib/server.mjs';

const INITIAL_JS = 60_000;
const MESSAGES = 10_000;
const NODES = 4000;

let server, browser, group;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

const get = (path, headers = {}) => fetch(new URL(path, server.url), { headers });

test(`the first JavaScript is at most ${INITIAL_JS} bytes, gzipped`, async (t) => {
  const html = await (await get('/')).text();
  const scripts = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map((m) => m[1]);
  assert.ok(scripts.length > 0);
  let sum = 0;
  for (const path of scripts) sum += gzipSync(Buffer.from(await (await get(path)).arrayBuffer())).length;
  t.diagnostic(`${scripts.length} files, ${sum} bytes gzipped`);
  assert.ok(sum <= INITIAL_JS, `${sum} bytes`);
});

test('the policy of the page allows nothing inline and nobody else', async () => {
  const { headers } = await get('/');
  const policy = headers.get('content-security-policy');
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"])
    assert.ok(policy.includes(rule), rule);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.equal(headers.get('referrer-policy'), 'no-referrer');
  assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin');
  assert.equal(headers.get('cache-control'), 'no-cache');
});

test('files with a hash in their name are kept for ever, the page is asked for again', async () => {
  const page = await get('/');
  const [asset] = /\/assets\/[^"]+/.exec(await page.text());
  assert.match((await get(asset)).headers.get('cache-control'), /max-age=31536000, immutable/);
  for (const path of ['/service-worker.js', '/manifest.webmanifest'])
    assert.equal((await get(path)).headers.get('cache-control'), 'no-cache', path);
  const again = await get('/', { 'If-None-Match': page.headers.get('etag') });
  assert.equal(again.status, 304);
  assert.equal((await get('/no/such/page')).status, 404);
});

test('it can be installed', async () => {
  const manifest = await (await get('/manifest.webmanifest')).json();
  assert.equal(manifest.display, 'standalone');
  for (const { src, sizes } of manifest.icons) {
    const answer = await get(src);
    assert.equal(answer.status, 200, src);
    if (sizes === 'any') continue;
    const png = Buffer.from(await answer.arrayBuffer());
    assert.equal(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`, sizes);
  }
});

test('the cached list is there before the network has answered', async (t) => {
  const first = await Device.open(browser, server);
  await first.useToken('una', 'dev=una', 'jti=una');
  await server.call('vic', 'user.update', { display_name: 'Victor Hugo' });
  await server.call('vic', 'message.send', { to: 'una', client_id: '1', text: 'Les Misérables' });
  await first.see('.channel-row', { hasText: 'Victor Hugo' });
  await first.page.evaluate(() => navigator.serviceWorker.ready);
  // what is shown is kept a moment later
  for (const [store, text] of [['channels', 'Les Misérables'], ['users', 'Victor Hugo']])
    await until(async () => (await first.kept([store])).some((row) => row.includes(text)), `${text} to be kept`);
  await first.page.close();

  const page = await first.context.newPage();
  const device = Object.assign(first, { page });
  // nothing of the API ever answers
  await page.routeWebSocket(/./, () => {});
  await page.route(/\/(rpc|v1)\b/, () => {});
  const cdp = await first.context.newCDPSession(page);
  await cdp.send('Network.enable');
  await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 20_000 });
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector('.channel-row')) return;
      window.listAt = performance.now();
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(server.url);
  await device.see('.channel-row', { hasText: 'Victor Hugo' });
  await device.see('.channel-row', { hasText: 'Les Misérables' });
  const at = await page.evaluate(() => window.listAt);
  t.diagnostic(`the cached list is there after ${Math.round(at)} ms at 50 kB/s and 400 ms`);
  await device.close();
});

test(`${MESSAGES} messages: written`, async () => {
  const { channel } = await server.call('una', 'channel.create', { name: 'Long history', members: ['vic'] });
  group = channel.channel;
  const token = server.token('vic');
  for (let from = 0; from < MESSAGES; from += 50) {
    const batch = Array.from({ length: 50 }, (_, i) => ({
      jsonrpc: '2.0',
      id: i,
      method: 'message.send',
      params: { channel: group, client_id: `h${from + i}`, text: textOf(from + i + 1) },
    }));
    const answer = await fetch(`${server.url}rpc`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(batch),
    });
    assert.equal(answer.status, 200);
  }
});

/** One line, or several, so that no height can be known in advance. */
function textOf(n) {
  return `message ${n} ${'and some more words of it '.repeat(n % 7)}${n % 11 ? '' : '\nwith\nlines'}`;
}

test(`${MESSAGES} messages: scrolled from the newest to the oldest with few nodes and short frames`, async (t) => {
  const device = await Device.open(browser, server);
  await device.useToken('una', 'dev=una2', 'jti=una2');
  const { page } = device;
  // ten thousand are new: it opens at the first of them
  await device.open('Long history');
  await device.see('.new-line');
  await device.see('.message .text', { hasText: /^message 1 / });
  await device.button(/^To the newest message, [\d]+ unread/).waitFor();
  await device.button(/^To the newest message/).click();
  await device.seeMessage(`message ${MESSAGES} `);

  // a fling: a screen and a half a frame, all the way up
  const result = await page.evaluate(
    () =>
      new Promise((done) => {
        const history = document.querySelector('.history');
        const frames = [];
        let nodes = 0;
        let last = performance.now();
        history.dispatchEvent(new WheelEvent('wheel'));
        const step = (now) => {
          frames.push(now - last);
          last = now;
          nodes = Math.max(nodes, history.getElementsByTagName('*').length);
          if (history.scrollTop <= 0 || frames.length > 6000) return done({ nodes, frames });
          history.scrollTop -= 1000;
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
  );
  const frames = result.frames.slice(1).sort((a, b) => a - b);
  const long = frames.filter((f) => f > 50).length;
  t.diagnostic(
    `${frames.length} frames, half of them below ${Math.round(frames[frames.length >> 1])} ms, the longest ${Math.round(frames.at(-1))} ms, ${long} over 50 ms; at most ${result.nodes} nodes`,
  );
  assert.ok(result.frames.length > 100, 'it was a scroll');
  assert.ok(result.nodes < NODES, `${result.nodes} nodes`);
  await device.see('.message .text', { hasText: /^message 1 / });
  await until(async () => (await device.find('.message').count()) < 120, 'only what is near to be drawn');

  // and to a message and a date, at once
  await page.goto(`${server.url}#/c/${encodeURIComponent(group)}/5000`);
  await device.saw('.message.flash .text', 'message 5000 ');
  await device.button(/^To the newest message/).click();
  await device.seeMessage(`message ${MESSAGES} `);
  await device.button('Conversation menu').click();
  await device.find('[role=menuitem]', { hasText: 'Go to a date' }).click();
  await device.button('Go', 'dialog').click();
  await device.saw('.message.flash .text', 'message 1 ');
  device.clean();
  await device.close();
});
