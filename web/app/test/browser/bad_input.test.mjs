// What goes wrong in the world, one test each.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Device, launch, until } from './lib/device.mjs';
import { Server } from './lib/server.mjs';

const NETWORK = /Failed to load resource|WebSocket connection|ERR_/;
const HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">';

let server, browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

/** A window with a user in it; `script` runs before the page's own. */
async function enter(user, { claims = [], script, argument } = {}) {
  const context = {};
  const device = await Device.open(browser, server, context);
  if (script) await device.context.addInitScript(script, argument);
  await device.useToken(user, `dev=${user}-web`, `jti=${user}`, ...claims);
  return device;
}

const send = (user, to, text, id = `${to} ${text}`.slice(0, 60)) => server.call(user, 'message.send', { to, client_id: id, text });

test('<script> in every text and name is text', async () => {
  await server.call('mal', 'user.update', { display_name: HOSTILE.slice(0, 180), status: HOSTILE.slice(0, 180) });
  await server.call('mal', 'channel.create', { name: HOSTILE.slice(0, 180), members: ['kim'] });
  await send('mal', 'kim', HOSTILE, 'h1');
  await send('mal', 'kim', 'javascript:alert(1) data:text/html,<script>1</script>', 'h2');
  await server.call('mal', 'contact.request', { user: 'kim' });
  const kim = await enter('kim');
  const direct = kim.find('.channel-row', { hasText: 'data:text/html' });
  await direct.click();
  await kim.seeMessage('<img src=x onerror=');
  assert.equal(await kim.find('.history a').count(), 0, 'links of these');
  await kim.button(/^Details of/).click();
  await kim.see('dialog', { hasText: '<script>' });
  await kim.page.keyboard.press('Escape');
  await kim.gone('dialog');
  await kim.section('Contacts');
  await kim.see('.contact-row', { hasText: '<script>' });
  assert.equal(await kim.page.evaluate(() => window.hacked), undefined);
  assert.equal(await kim.find('body img, body script:not([src])').count(), 0);
  kim.clean();
  await kim.close();
});

test('100,000 emoji are one folded message; 100,001 are told before they are sent', async () => {
  const lee = await enter('lee');
  await server.call('mia', 'message.send', { to: 'lee', client_id: 'big', text: '😀'.repeat(100_000) });
  await lee.find('.channel-row').first().click();
  await lee.see('.fold', { hasText: '100,000 characters' });
  const length = () => lee.find('.message .text').first().evaluate((e) => e.textContent.length);
  assert.ok((await length()) < 2000, 'folded');
  await lee.find('.fold').click();
  await until(async () => (await length()) > 10_000, 'more of it');

  const field = lee.find('.composer-field');
  await field.fill('x'.repeat(99_990));
  await lee.see('.composer-count', { hasText: '10 characters left' });
  await field.fill('😀'.repeat(100_001));
  await lee.see('.composer-count.over', { hasText: '1 characters too long' });
  assert.ok(await lee.button('Send').isDisabled());
  await lee.page.keyboard.press('Enter');
  await field.fill('😀'.repeat(100_000));
  await lee.button('Send').click();
  await until(async () => (await lee.find('.message.mine .mark.sent, .message.mine .mark.delivered').count()) === 1, 'the long message');
  lee.clean();
  await lee.close();
});

test('right to left: texts take their own direction, names do not turn the line around', async () => {
  await server.call('omar', 'user.update', { display_name: 'عمر \u202eevil' });
  await send('omar', 'ned', 'مرحبا بالعالم 123', 'r1');
  await send('omar', 'ned', 'plain', 'r2');
  const ned = await enter('ned');
  await ned.row('عمر').click();
  const direction = async (text) => (await ned.seeMessage(text)).locator('.body').evaluate((e) => getComputedStyle(e).direction);
  assert.equal(await direction('مرحبا'), 'rtl');
  assert.equal(await direction('plain'), 'ltr');
  assert.doesNotMatch(await ned.find('.shell').innerText(), /\u202e/u);
  await ned.close();
});

test('a token that ends in the middle leads to the entrance, and says why', async () => {
  const pia = await Device.open(browser, server);
  await pia.useToken('pia', 'dev=pia', `exp=${Math.floor(Date.now() / 1000) + 8}`);
  await pia.see('.entrance .form-note', { hasText: 'expired' });
  await pia.close();
});

test('the first message makes the conversation a channel: what is typed meanwhile stays', async () => {
  const liv = await enter('liv');
  await liv.button('New chat').click();
  await liv.button('Notes to yourself').click();
  await liv.see('.composer-field');
  const pool = server.pool();
  for (const pid of pool) process.kill(pid, 'SIGSTOP');
  try {
    await liv.send('the first');
    await liv.find('.composer-field').fill('half a sec');
  } finally {
    for (const pid of pool) process.kill(pid, 'SIGCONT');
  }
  await until(() => liv.page.evaluate(() => location.hash.startsWith('#/c/')), 'the channel');
  await liv.see('.history [role=article]', { hasText: 'the first' });
  await liv.page.keyboard.type('ond');
  await liv.typed('half a second');
  await liv.page.keyboard.press('Enter');
  await liv.see('.history [role=article]', { hasText: 'half a second' });
  liv.clean();
  await liv.close();
});

test('a reload in the very moment of Enter loses nothing', async () => {
  const kit = await enter('kit');
  await send('lou', 'kit', 'hurry');
  await kit.find('.channel-row').first().click();
  await kit.seeMessage('hurry');
  const texts = Array.from({ length: 10 }, (_, i) => `in haste ${i + 1}.`);
  for (const text of texts) {
    await kit.find('.composer-field').fill(text);
    await Promise.all([
      kit.page.waitForEvent('load'),
      kit.page.evaluate(() => {
        document.querySelector('.composer-field').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
        location.reload();
      }),
    ]);
    await kit.see('.composer-field');
  }
  await kit.see('.history [role=article]', { hasText: texts.at(-1) });
  assert.deepEqual((await kit.texts()).map((t) => t.trim()).filter((t) => t.startsWith('in haste')), texts);
  await kit.close();
});

test('429: what is typed too fast arrives all the same, once, in order', async () => {
  const slow = await Server.start({ rate: '5r/s' });
  try {
    const quin = await Device.open(browser, slow);
    await quin.useToken('quin', 'dev=quin', 'jti=quin');
    await quin.button('New chat').click();
    await quin.button('Notes to yourself').click();
    await quin.see('.composer-field');
    const texts = Array.from({ length: 14 }, (_, i) => `note ${i + 1}.`);
    for (const text of texts) await quin.send(text);
    await until(async () => (await quin.find('.history [role=article]').count()) === texts.length, 'all notes at the server');
    assert.deepEqual((await quin.texts()).map((t) => t.trim()), texts);
    await quin.close();
  } finally {
    await slow.end();
  }
});

test('a network that lets no WebSocket through: the chat goes on over plain HTTP', async () => {
  const ken = await Device.open(browser, server);
  const asked = [];
  ken.page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await ken.context.routeWebSocket(/./, (socket) => socket.close());
  await ken.useToken('ken', 'dev=ken', 'jti=ken');
  await send('liz', 'ken', 'the long way round');
  await ken.row('liz').click();
  await ken.seeMessage('the long way round');
  await ken.send('and back');
  await ken.see('.history [role=article]', { hasText: 'and back' });
  await send('liz', 'ken', 'pushed');
  await ken.seeMessage('pushed');
  assert.ok(asked.some((path) => path.startsWith('/v1/events')), 'events by a stream');
  await ken.gone('.connection-line');
  await ken.close();
});

test('a network that falls silent is noticed as soon as the browser says so', async () => {
  const meg = await Device.open(browser, server);
  let silent = false;
  await meg.context.routeWebSocket(/./, (socket) => {
    // one that is opened meanwhile must not wait for an answer that was lost
    if (silent) return socket.close();
    const far = socket.connectToServer();
    socket.onMessage((message) => silent || far.send(message));
    far.onMessage((message) => silent || socket.send(message));
  });
  // the page does not ask by itself, as it would after a heartbeat: it has the browser's word only
  await meg.context.addInitScript(() => {
    const later = window.setTimeout;
    window.setTimeout = (run, ms, ...more) => (ms === 30_000 ? 0 : later(run, ms, ...more));
  });
  await meg.useToken('meg', 'dev=meg', 'jti=meg');
  await send('nat', 'meg', 'hello there');
  await meg.see('.channel-row', { hasText: 'hello there' });
  silent = true;
  await meg.context.setOffline(true);
  await meg.see('.connection-line', { hasText: 'Offline' });
  silent = false;
  await meg.context.setOffline(false);
  await meg.gone('.connection-line');
  await meg.close();
});

test('503 and 429 at log-in are told in words', async () => {
  const rob = await Device.open(browser, server);
  for (const [status, reason, words] of [
    [503, 'unavailable', 'busy'],
    [429, 'rate_limited', '7 s'],
  ]) {
    await rob.page.route(/\/v1\/login$/, (route) =>
      route.fulfill({
        status,
        headers: { 'Retry-After': '7' },
        contentType: 'application/problem+json',
        body: JSON.stringify({ status, reason, retry_after: 7 }),
      }),
    );
    await rob.find('[name=user]').fill('rob');
    await rob.find('[name=password]').fill('long enough');
    await rob.button('Log in').click();
    await rob.see('.form-problem', { hasText: words });
    await rob.page.unroute(/\/v1\/login$/);
  }
  await rob.close();
});

test('a server that hangs: the message waits and arrives once', async () => {
  const sue = await enter('sue');
  await send('tom', 'sue', 'are you there?');
  await sue.find('.channel-row').first().click();
  await sue.seeMessage('are you there?');
  const pool = server.pool();
  for (const pid of pool) process.kill(pid, 'SIGSTOP');
  try {
    await sue.send('yes I am');
    await sue.see('.pending .text', { hasText: 'yes I am' });
  } finally {
    for (const pid of pool) process.kill(pid, 'SIGCONT');
  }
  await sue.see('.history [role=article]', { hasText: 'yes I am' });
  assert.equal((await sue.texts()).filter((t) => t.includes('yes I am')).length, 1);
  await sue.close();
});

test('a full disk of the browser: the chat goes on and says that nothing is kept', async () => {
  const uma = await enter('uma', {
    script: () => {
      const full = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
      IDBObjectStore.prototype.put = full;
      IDBObjectStore.prototype.add = full;
    },
  });
  await send('vera', 'uma', 'hello all the same');
  await uma.find('.channel-row').first().click();
  await uma.seeMessage('hello all the same');
  await uma.send('and back');
  await uma.see('.history [role=article]', { hasText: 'and back' });
  await uma.see('.connection-line', { hasText: 'keeps nothing' });
  uma.clean();
  await uma.close();
});

test('a clock that is wrong by a day, either way: today is the server’s today', async () => {
  for (const [user, days] of [
    ['will', 1],
    ['xena', -1],
  ]) {
    const device = await enter(user, {
      script: (shift) => {
        const now = Date.now;
        window.Date = class extends Date {
          constructor(...values) {
            super(...(values.length ? values : [now() + shift]));
          }
          static now() {
            return now() + shift;
          }
        };
      },
      argument: days * 86_400_000,
      claims: [`exp=${Math.floor(Date.now() / 1000) + 7 * 86_400}`],
    });
    await send('yan', user, 'what day is it');
    await device.find('.channel-row').first().click();
    await device.seeMessage('what day is it');
    await device.see('.day', { hasText: 'Today' });
    await device.send('a good one');
    await device.see('.history [role=article]', { hasText: 'a good one' });
    device.clean();
    await device.close();
  }
});

test('two tabs share what happens, and log out at once', async () => {
  const zoe = await Device.open(browser, server);
  await zoe.signUp('zoe', 'Zoe');
  const other = Object.assign(Object.create(Device.prototype), zoe, { page: await zoe.context.newPage() });
  await other.page.goto(server.url);
  await send('abe', 'zoe', 'in both tabs');
  for (const tab of [zoe, other]) await tab.see('.channel-row', { hasText: 'in both tabs' });
  for (const tab of [zoe, other]) {
    await tab.page.bringToFront();
    await tab.section('Settings');
    await tab.see('.row-button', { hasText: 'Log out' });
  }
  // one may hear of the other's before it has its own turn
  await Promise.all([zoe, other].map((tab) => tab.page.evaluate(() => [...document.querySelectorAll('.row-button')].find((b) => b.textContent.includes('Log out'))?.click())));
  for (const tab of [zoe, other]) await tab.see('.entrance');
  await zoe.logIn('zoe');
  await other.see('.shell');
  zoe.clean(/Failed to load resource.*401/);
  await zoe.close();
});

test('a server restart during an edit: the edit is there afterwards, or still in the editor', async () => {
  const ivy = await enter('ivy');
  await send('jon', 'ivy', 'hi');
  await ivy.find('.channel-row').first().click();
  await ivy.send('teh cat');
  await ivy.see('.history [role=article]', { hasText: 'teh cat' });
  await ivy.page.keyboard.press('ArrowUp');
  await ivy.see('.composer-context', { hasText: 'Editing' });
  await server.kill();
  await ivy.send('the cat');
  await server.up();
  // a server that is away for longer than a call may take leaves it in the editor
  await ivy.see('.history [role=article]:has-text("the cat"), .composer-context');
  if (await ivy.find('.composer-context').isVisible()) {
    await ivy.typed('the cat');
    await ivy.page.keyboard.press('Enter');
  }
  await ivy.see('.history [role=article]', { hasText: 'the cat' });
  const { channels } = await server.call('jon', 'channel.list', {});
  assert.equal(channels[0].last_message.text, 'the cat');
  ivy.clean(NETWORK);
  await ivy.close();
});
