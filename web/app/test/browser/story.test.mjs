// Two people on three devices, and three more in a group: what a chat is for.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Device, launch, PASSWORD, PHONE, until } from './lib/device.mjs';
import { Server } from './lib/server.mjs';
import { shot } from './lib/shots.mjs';

let server, browser, alice, phone, bob;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

test('sign up: two people make accounts; a second device logs in to the first', async () => {
  alice = await Device.open(browser, server);
  bob = await Device.open(browser, server);
  phone = await Device.open(browser, server, PHONE);
  await shot(phone, 'phone-entrance');
  await Promise.all([alice.signUp('alice', 'Alice Miller'), bob.signUp('bob', 'Bob Ortega')]);
  await phone.logIn('alice');
  await alice.see('.welcome');
});

test('a name that is taken, a short password and a wrong one are told before anything is lost', async () => {
  const other = await Device.open(browser, server);
  await other.button('Make an account').click();
  await other.find('[name=user]').fill('alice');
  await other.find('[name=password]').fill('short');
  await other.button('Sign up').click();
  await other.see('.form-problem', { hasText: 'at least 8' });
  await other.find('[name=password]').fill(PASSWORD);
  await other.button('Sign up').click();
  await other.see('.form-problem', { hasText: 'taken' });
  await other.button('Log in', '.entrance-links').click();
  await other.find('[name=user]').fill('alice');
  await other.find('[name=password]').fill('wrong password');
  await other.button('Log in', 'form').click();
  await other.see('.form-problem', { hasText: 'wrong' });
  assert.equal(await other.find('[name=user]').inputValue(), 'alice');
  await other.close();
});

test('contacts: a person is found by name, asked, and accepts; both see it on every device', async () => {
  await alice.section('Contacts');
  await alice.find('[aria-label="Find people"]').fill('bob or');
  await alice.find('.person-row', { hasText: 'Bob Ortega' }).click();
  await alice.button('Add to contacts').click();
  await alice.button('Withdraw request').waitFor();
  await alice.button('Close').click();
  await bob.see('.nav-button .badge');
  await bob.section('Contacts');
  await bob.button('Accept Alice Miller').click();
  await bob.see('section[aria-label=Friends]', { hasText: 'Alice Miller' });
  await phone.section('Contacts');
  for (const device of [alice, phone]) await device.see('section[aria-label=Friends]', { hasText: 'Bob Ortega' });
});

test('presence: friends see each other online', async () => {
  await alice.see('section[aria-label=Friends] .presence-dot');
  await bob.see('section[aria-label=Friends] .presence-dot');
});

test('a direct chat starts from a search; marks go from sent to delivered to read', async () => {
  await alice.section('Chats');
  await alice.find('#search').fill('Bob');
  await alice.find('.people-results .person-row', { hasText: 'Bob Ortega' }).click();
  await alice.see('.composer-field');
  await alice.send('Hello Bob, this is the new chat');
  const message = await alice.seeMessage('Hello Bob');
  await message.locator('.mark.delivered, .mark.read').waitFor();
  assert.equal(await message.locator('.mark.read').count(), 0, 'nobody has read it');
  await bob.section('Chats');
  await bob.see('.channel-row .badge', { hasText: '1' });
  await until(async () => (await bob.page.title()).startsWith('(1)'), 'the number in the title');
  await bob.open('Alice Miller');
  await bob.seeMessage('Hello Bob');
  await message.locator('.mark.read').waitFor();
  await bob.gone('.channel-row .badge');
  await until(async () => (await bob.page.title()) === 'Chat', 'the title without a number');
});

test('the other device of the sender has the message, too', async () => {
  await phone.section('Chats');
  await phone.open('Bob Ortega');
  await (await phone.seeMessage('Hello Bob')).and(phone.find('.mine')).waitFor();
});

test('typing shows in the conversation and in the list, and goes', async () => {
  await bob.find('.composer-field').pressSequentially('Hi', { delay: 30 });
  await alice.saw('.typing-line', 'Bob Ortega is typing');
  await alice.saw('.channel-row .typing', 'typing');
  await bob.send('Hi Alice 👋');
  await alice.seeMessage('Hi Alice');
  await alice.gone('.typing-line .dots');
});

test('a reply quotes the message and leads to it', async () => {
  await bob.onMessage('Hello Bob', 'Details');
  await bob.see('dialog', { hasText: 'Alice Miller' });
  await bob.page.keyboard.press('Escape');
  await bob.gone('dialog');
  const message = await bob.point('Hello Bob');
  await message.getByRole('button', { name: 'Reply' }).click();
  await bob.see('.composer-context', { hasText: 'Hello Bob' });
  await bob.send('It looks calm');
  const reply = await alice.seeMessage('It looks calm');
  await reply.locator('.quote', { hasText: 'this is the new chat' }).click();
  await alice.saw('.message.flash .text', 'Hello Bob');
});

test('an edit shows everywhere and is marked', async () => {
  await alice.send('See you at nien');
  await alice.see('.history [role=article]', { hasText: 'nien' });
  await alice.page.keyboard.press('ArrowUp');
  await alice.see('.composer-context', { hasText: 'Editing' });
  await alice.send('See you at nine');
  for (const device of [alice, bob, phone]) {
    const message = await device.seeMessage('See you at nine');
    await message.locator('.meta', { hasText: 'edited' }).waitFor();
  }
});

test('a reaction is given, counted and taken back', async () => {
  const message = await bob.point('See you at nine');
  await message.getByRole('button', { name: 'React', exact: true }).click();
  await message.getByRole('button', { name: 'React 👍' }).click();
  const shown = (await alice.seeMessage('See you at nine')).locator('.reaction', { hasText: '👍' });
  await shown.click();
  // at both: who takes it back has to know that it is there
  for (const reaction of [message.locator('.reaction'), shown]) await reaction.locator('.count', { hasText: '2' }).waitFor();
  await shown.click();
  await message.locator('.reaction .count').waitFor({ state: 'detached' });
});

test('a deleted message is gone for everybody', async () => {
  await alice.send('this was a mistake');
  await bob.seeMessage('this was a mistake');
  await alice.onMessage('this was a mistake', 'Delete');
  await alice.button('Delete', 'dialog').click();
  for (const device of [alice, bob, phone]) {
    await device.see('.text.deleted');
    await until(async () => !(await device.texts()).some((t) => t.includes('mistake')), 'the text to go');
  }
});

test('a group of five: made, written to, mentions, roles, receipts', async () => {
  for (const [user, name] of [['carol', 'Carol Weiss'], ['dave', 'Dave Ito'], ['erin', 'Erin Novak']])
    await server.call(user, 'user.update', { display_name: name });
  await alice.button('New group').click();
  await alice.find('[name=group]').fill('Climbing on Sunday');
  for (const name of ['Bob Ortega', 'Carol Weiss', 'Dave Ito', 'Erin Novak']) {
    await alice.find('dialog [aria-label="Find people"]').fill(name.split(' ')[0]);
    await alice.find('dialog .person-row', { hasText: name }).click();
    await alice.see('.chip', { hasText: name });
  }
  await alice.button('Make the group').click();
  await alice.see('.conversation-head', { hasText: '5 members' });
  await alice.find('.composer-field').pressSequentially('Who is in? @Bo');
  await alice.see('.mention-option', { hasText: 'Bob Ortega' });
  await alice.page.keyboard.press('Enter');
  await alice.page.keyboard.press('Enter');
  await bob.open('Climbing on Sunday');
  await (await bob.seeMessage('Who is in?')).locator('.mention.me', { hasText: '@bob' }).waitFor();
  await bob.send('I am! What time?');
  // the others answer after him
  await alice.seeMessage('I am!');
  const { channels } = await server.call('erin', 'channel.list', {});
  const group = channels[0].channel;
  await server.call('carol', 'message.send', { channel: group, client_id: 'c1', text: 'Count me in. I have a rope 🧗' });
  await server.call('dave', 'message.send', { channel: group, client_id: 'd1', text: 'Sorry, I am away this weekend.\nNext time!' });
  await server.call('carol', 'message.send', { channel: group, client_id: 'c2', text: 'Route: https://example.org/routes/42' });
  await alice.seeMessage('Route');
  await bob.seeMessage('Route');
  await until(async () => (await alice.find('.message .sender').count()) === 4, 'a name above each block of bubbles');
  const marked = await alice.seeMessage('Who is in?');
  assert.equal(await marked.locator('.mark.read').count(), 0, 'erin has not read it yet');
  await server.call('erin', 'channel.read', { channel: group, message_id: channels[0].last_message.message_id });
  await marked.locator('.mark.read').waitFor();
});

test('the owner makes an admin, removes a member and renames the group', async () => {
  await alice.button(/^Details of Climbing on Sunday/).click();
  await alice.button('Manage Bob Ortega').click();
  await alice.find('[role=menuitem]', { hasText: 'Make admin' }).click();
  await alice.see('.member .role', { hasText: 'admin' });
  await alice.button('Manage Dave Ito').click();
  await alice.find('[role=menuitem]', { hasText: 'Remove' }).click();
  await alice.see('dialog h2', { hasText: 'Remove Dave Ito?' });
  await alice.button('Remove', 'dialog').click();
  await alice.gone('.member', { hasText: 'Dave Ito' });
  await alice.find('[aria-label="Name of the group"]').fill('Climbing, Sunday 9:30');
  await alice.button('Rename').click();
  await bob.see('.conversation-head', { hasText: 'Climbing, Sunday 9:30' });
  await bob.see('.conversation-head', { hasText: '4 members' });
  await alice.button('Close').click();
});

test('a muted chat stays quiet, a hidden one goes until the next message', async () => {
  await bob.button('Conversation menu').click();
  await bob.find('[role=menuitem]', { hasText: /^Mute$/ }).click();
  await bob.see('.conversation-head [aria-label=Muted]');
  await bob.button('Conversation menu').click();
  await bob.find('[role=menuitem]', { hasText: 'Hide' }).click();
  await bob.gone('.channel-row', { hasText: 'Climbing' });
  await alice.send('Bring water');
  await bob.see('.channel-row .badge.quiet', { hasText: '1' });
  await bob.open('Climbing');
});

test('screenshots: light, dark, phone', async () => {
  const { channels } = await server.call('carol', 'channel.list', {});
  const group = channels[0].channel;
  const say = (user, text, more) => server.call(user, 'message.send', { client_id: text, text, ...more });
  await say('erin', 'The photos of last week are up 📷', { to: 'alice' });
  await say('carol', 'سلام آلیس، فردا هستی؟', { to: 'alice' });
  await say('carol', 'Two litres each, it will be hot', { channel: group, reply_to: channels[0].last_message.message_id });
  for (const user of ['bob', 'erin']) await server.call(user, 'message.react', { channel: group, message_id: 3, emoji: '🎉' });
  await server.call('bob', 'message.react', { channel: group, message_id: channels[0].last_message.message_id, emoji: '👍' });
  await say('erin', '🥾☀️', { channel: group });
  await alice.seeMessage('🥾');
  await alice.see('.reaction', { hasText: '👍' });
  await alice.page.mouse.move(0, 0);
  await shot(alice, 'light');
  await alice.page.emulateMedia({ colorScheme: 'dark' });
  await shot(alice, 'dark');
  await alice.page.emulateMedia({ colorScheme: 'light' });
  await phone.section('Chats');
  await shot(phone, 'phone-list');
  await phone.open('Climbing');
  await phone.seeMessage('🥾');
  await phone.page.mouse.move(20, 20);
  await shot(phone, 'phone-conversation');
  await phone.page.emulateMedia({ colorScheme: 'dark' });
  await shot(phone, 'phone-dark');
});

test('offline: one reads, writes and even reloads; back again everything is sent once, in order', async () => {
  await bob.open('Alice Miller');
  await alice.open('Bob Ortega');
  await alice.page.evaluate(() => navigator.serviceWorker.ready);
  await alice.context.setOffline(true);
  await alice.send('written in a tunnel 1');
  await alice.send('written in a tunnel 2');
  await alice.see('.pending-queued, .pending-sending', { hasText: 'tunnel 1' });
  await alice.page.reload();
  await alice.see('.pending .text', { hasText: 'tunnel 2' });
  await alice.seeMessage('See you at nine');
  await alice.see('.connection-line');
  await shot(alice, 'offline');
  await bob.send('meanwhile at home');
  await alice.context.setOffline(false);
  await bob.seeMessage('tunnel 2');
  await alice.seeMessage('meanwhile at home');
  await alice.gone('.connection-line');
  await until(async () => (await alice.find('.pending .message').count()) === 0, 'the outbox to empty');
  const own = (await bob.texts()).filter((t) => t.includes('tunnel'));
  assert.deepEqual(own.map((t) => t.trim()), ['written in a tunnel 1', 'written in a tunnel 2']);
});

test('the server is killed and comes back: what was written meanwhile arrives once', async () => {
  await server.kill();
  await bob.send('is anybody there?');
  await bob.see('.pending .text', { hasText: 'anybody' });
  await bob.see('.connection-line');
  await server.up();
  await alice.seeMessage('is anybody there?');
  await bob.gone('.connection-line');
  const all = (await alice.texts()).filter((t) => t.includes('anybody'));
  assert.equal(all.length, 1);
});

test('log out there: the phone is out at once and keeps nothing', async () => {
  await alice.section('Settings');
  await alice.find('[data-device] .button').first().click();
  await alice.button('Log out there', 'dialog').click();
  await phone.see('.entrance');
  await phone.see('.form-note');
  await until(async () => (await phone.kept(['messages', 'channels', 'users', 'contacts', 'outbox'])).length === 0, 'nothing to be left behind');
  await alice.see('.shell');
});

test('log out: the page asks for a login again, also after a reload', async () => {
  await bob.section('Settings');
  await bob.button('Log out').click();
  await bob.see('.entrance');
  await bob.page.reload();
  await bob.see('.entrance');
  await bob.logIn('bob');
  await bob.see('.channel-row', { hasText: 'Alice Miller' });
});

test('the consoles have no error but those of the missing network', () => {
  const network = /Failed to load resource|WebSocket connection|ERR_(INTERNET_DISCONNECTED|CONNECTION_REFUSED|NETWORK_CHANGED)/;
  for (const device of [alice, bob, phone]) device.clean(network);
});
