// Every view, light and dark, wide and on a phone, looked at by axe-core; and
// what it cannot see: the keyboard and where the focus goes.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { violations } from './lib/axe.mjs';
import { Device, launch, PHONE, until } from './lib/device.mjs';
import { Server } from './lib/server.mjs';

let server, browser, wide, phone;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  await people();
  wide = await Device.open(browser, server);
  phone = await Device.open(browser, server, { ...PHONE, colorScheme: 'dark' });
});

after(async () => {
  await browser?.close();
  await server?.end();
});

/** A small world: friends, requests, blocks, a group with replies and reactions. */
async function people() {
  for (const [user, name, status] of [
    ['ann', 'Ann Lee', 'Away until Monday'],
    ['ben', 'Ben مرحبا', ''],
    ['cat', 'Cat\u202e Stone', ''],
    ['dan', '', ''],
  ])
    await server.call(user, 'user.update', { display_name: name, status });
  await server.call('ann', 'contact.request', { user: 'ben' });
  await server.call('ben', 'contact.accept', { user: 'ann' });
  await server.call('cat', 'contact.request', { user: 'ann' });
  await server.call('ann', 'contact.request', { user: 'dan' });
  await server.call('ann', 'contact.block', { user: 'eve' });
  const { channel } = await server.call('ann', 'channel.create', { name: 'Book club', members: ['ben', 'cat'] });
  const send = (user, text, more = {}) => server.call(user, 'message.send', { channel: channel.channel, client_id: `${text.length}`, text, ...more });
  await send('ann', 'Which book next?');
  await send('ben', 'سلام, the second one. https://example.org/b', { reply_to: 1 });
  await send('cat', 'Long one. '.repeat(400));
  await send('ann', 'Good, @ben', { mentions: ['ben'] });
  await server.call('ben', 'message.react', { channel: channel.channel, message_id: 1, emoji: '👍' });
  await server.call('ben', 'message.send', { to: 'ann', client_id: 'direct', text: 'Hi Ann' });
}

let found = [];

async function check(device, view) {
  found.push(...(await violations(device.page)).map((v) => `${view}: ${v}`));
}

/** Shows all of them at once, not the first only. */
function none() {
  const all = found;
  found = [];
  assert.deepEqual(all, []);
}

test('axe: entrance', async () => {
  for (const device of [wide, phone]) {
    await check(device, 'log in');
    await device.button('Make an account').click();
    await check(device, 'sign up');
    await device.button('Log in', '.entrance-links').click();
  }
  none();
});

test('axe: list, conversation and its menus', async () => {
  await wide.useToken('ann', 'dev=wide', 'jti=w');
  await phone.useToken('ann', 'dev=phone', 'jti=p');
  for (const device of [wide, phone]) {
    await device.see('.channel-row', { hasText: 'Book club' });
    await check(device, 'list');
    await device.open('Book club');
    await device.seeMessage('Good,');
    await check(device, 'conversation');
    await (await device.point('Good,')).getByRole('button', { name: 'More for this message' }).click();
    await device.see('[role=menu]');
    await check(device, 'menu of a message');
    await device.page.keyboard.press('Escape');
    await device.gone('[role=menu]');
    await device.button('Emoji').click();
    await device.see('.emoji-picker');
    await check(device, 'emoji');
    await device.page.keyboard.press('Escape');
    await device.gone('.emoji-picker');
    await device.find('.composer-field').fill('@b');
    await device.see('.mention-option');
    await check(device, 'mentions');
    await device.find('.composer-field').fill('');
  }
  none();
});

test('axe: dialogs', async () => {
  const shown = async (what, scheme) => {
    await wide.see('dialog');
    await check(wide, `${what}, ${scheme}`);
    await wide.page.keyboard.press('Escape');
    await wide.gone('dialog');
  };
  const dialogs = [
    ['new chat', () => wide.button('New chat').click()],
    ['new group', () => wide.button('New group').click()],
    ['group', () => wide.button(/^Details of Book club/).click()],
    ['going to a date', async () => {
      await wide.button('Conversation menu').click();
      await wide.find('[role=menuitem]', { hasText: 'Go to a date' }).click();
    }],
    ['adding people', async () => {
      await wide.button(/^Details of Book club/).click();
      await wide.button('Add people').click();
    }],
    ['details of a message', () => wide.onMessage('Good,', 'Details')],
    ['delete a message', () => wide.onMessage('Good,', 'Delete')],
    ['profile of another', () => wide.find('.mention').click()],
    ['own profile', () => wide.find('.nav-me').click()],
    ['shortcuts', () => wide.find('.nav-me').press('?')],
  ];
  for (const colorScheme of ['light', 'dark']) {
    await wide.page.emulateMedia({ colorScheme });
    for (const [what, open] of dialogs) {
      await open();
      await shown(what, colorScheme);
    }
  }
  await wide.page.emulateMedia({ colorScheme: 'light' });
  none();
});

test('axe: contacts and settings', async () => {
  for (const device of [wide, phone]) {
    await device.section('Contacts');
    await device.see('section[aria-label="Requests to you"]');
    await check(device, 'contacts');
    await device.section('Settings');
    await device.see('[data-device]');
    await check(device, 'settings');
  }
  none();
});

test('a dialog holds the focus, and gives it back', async () => {
  await wide.section('Chats');
  await wide.button('New group').focus();
  await wide.page.keyboard.press('Enter');
  await wide.see('dialog');
  for (let i = 0; i < 12; i++) {
    await wide.page.keyboard.press('Tab');
    const inside = await wide.page.evaluate(() => !document.activeElement || document.activeElement === document.body || !!document.activeElement.closest('dialog'));
    assert.ok(inside, 'the focus left the dialog');
  }
  await wide.page.keyboard.press('Escape');
  await wide.gone('dialog');
  await until(() => wide.page.evaluate(() => document.activeElement.getAttribute('aria-label') === 'New group'), 'the focus where it was');
});

test('the keyboard alone: find a chat, write, move among messages, reply', async () => {
  const { page } = wide;
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('/');
  await until(() => page.evaluate(() => document.activeElement.id === 'search'), 'the search field');
  await page.keyboard.type('book');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await until(() => page.evaluate(() => document.activeElement.matches('.composer-field')), 'the field for writing');
  await page.keyboard.type('typed without a mouse');
  await page.keyboard.press('Enter');
  await (await wide.seeMessage('typed without a mouse')).locator('.mark.sent, .mark.delivered').waitFor();
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  await until(() => page.evaluate(() => document.activeElement.getAttribute('role') === 'article'), 'a message with the focus');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('r');
  await wide.see('.composer-context', { hasText: 'Good' });
  await page.keyboard.press('Escape');
  await wide.gone('.composer-context');
});

test('a new message is said to screen readers, without moving the focus', async () => {
  await server.call('ben', 'message.send', { to: 'ann', client_id: 'said', text: 'can you hear me' });
  await until(async () => (await wide.find('[aria-live=polite][role=log]').innerText()).includes('can you hear me'), 'the announcement');
});

test('reduced motion: nothing moves', async () => {
  await wide.page.emulateMedia({ reducedMotion: 'reduce' });
  await wide.button('New chat').click();
  // Escape before it is shown would find no dialog to close
  await wide.see('dialog');
  const name = await wide.find('dialog').evaluate((e) => getComputedStyle(e).animationName);
  assert.equal(name, 'none');
  await wide.page.keyboard.press('Escape');
  await wide.gone('dialog');
});

test('names turned around or invisible are shown safely', async () => {
  await wide.section('Contacts');
  const row = wide.find('section[aria-label="Requests to you"]');
  assert.doesNotMatch(await row.innerText(), /\u202e/u);
  await row.locator('.contact-person').click();
  await wide.see('dialog', { hasText: 'invisible characters' });
  await wide.page.keyboard.press('Escape');
  await wide.gone('dialog');
});

test('the consoles are clean', () => {
  for (const device of [wide, phone]) device.clean();
});
