// What somebody chose on a device, and what a message does there when one
// looks elsewhere.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Device, launch, until } from './lib/device.mjs';
import { Server } from './lib/server.mjs';

let server, browser, gus;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  gus = await Device.open(browser, server, { permissions: ['notifications'] });
  await gus.context.addInitScript(() => {
    // before a message is told another tab has a moment to say that it is read there: the test ends it
    const later = window.setTimeout;
    window.moments = [];
    window.setTimeout = (run, ms, ...more) => (ms === 300 ? window.moments.push(run) : later(run, ms, ...more));
    window.shown = [];
    ServiceWorkerRegistration.prototype.showNotification = function (title, options) {
      window.shown.push(`${title}: ${options.body}`);
      return Promise.resolve();
    };
    window.withdrawn = [];
    ServiceWorkerRegistration.prototype.getNotifications = function ({ tag }) {
      return Promise.resolve([{ close: () => window.withdrawn.push(tag) }]);
    };
    window.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (at) {
      window.tones++;
      return start.call(this, at);
    };
  });
  await gus.useToken('gus', 'dev=gus', 'jti=gus');
  await gus.page.evaluate(() => navigator.serviceWorker.ready);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

const toggle = (label) => gus.find('.switch-row', { hasText: label }).locator('input');
const shown = () => gus.page.evaluate(() => window.shown);
/** What waits to be told is told now; how much that was. */
const tell = () =>
  gus.page.evaluate(() => {
    const due = window.moments.splice(0);
    for (const run of due) run();
    return due.length;
  });
const noises = () => gus.page.evaluate(() => [window.tones, window.shown.length]);
async function wantNotifications() {
  await toggle('On the desktop').check();
  // once the browser has given its leave
  await until(() => gus.page.evaluate(() => JSON.parse(localStorage.getItem('chat.settings')).notifications), 'notifications to be on');
}
const send = (text, user = 'hal') => server.call(user, 'message.send', { to: 'gus', client_id: text, text });

test('light and dark: as the system says, or as one chose, also after a reload', async () => {
  const background = () => gus.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await gus.page.emulateMedia({ colorScheme: 'dark' });
  const dark = await background();
  assert.notEqual(light, dark);
  await gus.section('Settings');
  const frame = () => gus.page.evaluate(() => [...document.querySelectorAll('meta[name=theme-color]')].find((m) => matchMedia(m.media).matches).content);
  const darkFrame = await frame();
  await gus.find('.segment', { hasText: 'Light' }).click();
  assert.equal(await background(), light);
  assert.notEqual(await frame(), darkFrame);
  await gus.page.reload();
  await gus.see('.segment.current', { hasText: 'Light' });
  assert.equal(await background(), light);
  await gus.find('.segment', { hasText: 'System' }).click();
  assert.equal(await background(), dark);
  await gus.page.emulateMedia({ colorScheme: 'light' });
});

test('a message while one looks elsewhere: a number in the title, a sound, a notification if one wants it', async () => {
  await send('first');
  await until(async () => (await gus.page.title()) === '(1) Chat', 'the number');
  assert.equal(await tell(), 1);
  await until(async () => (await noises())[0] > 0, 'the sound');
  assert.deepEqual(await shown(), [], 'not asked for');
  await wantNotifications();
  await send('second');
  await until(tell, 'the second message');
  await until(async () => (await shown()).includes('hal: second'), 'the notification');
});

test('each of them can be turned off', async () => {
  await toggle('Count in the title').uncheck();
  await until(async () => (await gus.page.title()) === 'Chat', 'a title without number');
  await toggle('Sound').uncheck();
  await toggle('On the desktop').uncheck();
  const before = await noises();
  await send('third');
  await gus.see('.nav-button .badge');
  await gus.section('Chats');
  await gus.see('.channel-row .badge', { hasText: '3' });
  assert.equal(await tell(), 1);
  assert.deepEqual(await noises(), before);
});

test('what one reads right now makes no noise; a muted chat never does', async () => {
  await gus.section('Settings');
  await wantNotifications();
  await gus.section('Chats');
  await gus.open('hal');
  await gus.page.bringToFront();
  await until(() => gus.page.evaluate(() => document.hasFocus()), 'the focus of the page');
  await until(() => gus.page.evaluate(() => window.withdrawn.length > 0), 'the notification of what is read now to go');
  await send('fourth');
  await gus.seeMessage('fourth');
  assert.equal(await tell(), 0);
  await gus.button('Conversation menu').click();
  await gus.find('[role=menuitem]', { hasText: /^Mute$/ }).click();
  await gus.see('.conversation-head [aria-label=Muted]');
  await gus.section('Contacts');
  await send('fifth');
  await gus.section('Chats');
  await gus.see('.channel-row', { hasText: 'fifth' });
  assert.equal(await tell(), 0);
});

test('what one reads in another tab makes no noise in this one', async () => {
  await send('to begin with', 'lyn');
  await gus.see('.channel-row', { hasText: 'to begin with' });
  assert.equal(await tell(), 1);
  await until(async () => (await shown()).includes('lyn: to begin with'), 'its notification');
  const page = await gus.context.newPage();
  const other = Object.assign(Object.create(Device.prototype), gus, { page });
  await page.goto(server.url);
  await other.open('lyn');
  await other.seeMessage('to begin with');
  await until(async () => !(await gus.row('lyn').locator('.badge').count()), 'it to be read there');
  const before = await noises();
  await send('you see this there', 'lyn');
  await other.seeMessage('you see this there');
  await gus.see('.channel-row', { hasText: 'you see this there' });
  await until(async () => !(await gus.row('lyn').locator('.badge').count()), 'this one to be read there, too');
  assert.equal(await tell(), 1);
  assert.deepEqual(await noises(), before);
  await page.close();
});

test('a request is declined, one’s own withdrawn; who is blocked cannot write', async () => {
  for (const user of ['ida', 'joe']) await server.call(user, 'contact.request', { user: 'gus' });
  await gus.section('Contacts');
  await gus.button('Decline ida').click();
  await gus.gone('.contact-row', { hasText: 'ida' });
  await gus.find('.contact-person', { hasText: 'joe' }).click();
  await gus.button('Block', 'dialog').click();
  await gus.button(/^Block: no messages/).click();
  await gus.button('Unblock', 'dialog').waitFor();
  await gus.button('Close').click();
  await assert.rejects(send('let me in', 'joe'), /blocked/);
  await gus.button('Unblock joe').click();
  await gus.gone('section[aria-label=Blocked]');
  await send('thank you', 'joe');
  await gus.section('Chats');
  await gus.see('.channel-row', { hasText: 'thank you' });
});

test('a message to one who blocks is shown as not sent, with the reason, and can be discarded', async () => {
  await server.call('kay', 'message.send', { to: 'gus', client_id: 'k', text: 'bye' });
  await server.call('kay', 'contact.block', { user: 'gus' });
  await gus.open('kay');
  await gus.send('wait');
  await gus.see('.failed', { hasText: 'cannot be reached' });
  await gus.button('Discard').click();
  await gus.gone('.pending');
});

test('the console is clean', () => gus.clean());
