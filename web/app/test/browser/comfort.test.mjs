// What one notices only when it is not there: nothing cut off, nothing lost
// that was typed, nothing done twice, the keyboard where one wants it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Device, launch, PHONE, until } from './lib/device.mjs';
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

/** In the page: whether all of it can be seen and pressed. */
const isWhole = (element) => {
  const { top, left, right, bottom } = element.getBoundingClientRect();
  const corners = [[left + 9, top + 9], [right - 9, top + 9], [left + 9, bottom - 9], [right - 9, bottom - 9]];
  const hidden = corners.filter(([x, y]) => !element.contains(document.elementFromPoint(x, y)));
  return hidden.length === 0 && top >= 0 && left >= 0 && right <= innerWidth && bottom <= innerHeight;
};

/** It is whole once it has its size and place, which one that was just drawn may not have. */
const whole = (device, selector, what) => until(() => device.find(selector).evaluate(isWhole), `${what}, seen whole`);

test('menus and emoji are seen whole, at the newest message and at one at the upper edge, wide and on a phone', async () => {
  for (let i = 1; i <= 20; i++) await send(i % 2 ? 'cleo' : 'dora', i % 2 ? 'dora' : 'cleo', `line ${i}.`);
  for (const [user, other, options] of [['dora', 'cleo'], ['cleo', 'dora', PHONE]]) {
    const device = await enter(user, options);
    await device.open(other);
    await device.seeMessage('line 20.');
    for (const edge of ['last', 'first']) {
      const id = await device.find('.history').evaluate((history, last) => {
        const { top } = history.getBoundingClientRect();
        const shown = [...history.querySelectorAll('[role=article]')].filter((row) => row.getBoundingClientRect().top > top);
        return shown.at(last ? -1 : 0).dataset.id;
      }, edge === 'last');
      const row = device.find(`[role=article][data-id="${id}"]`);
      await row.locator('.bubble').click();
      await row.getByRole('button', { name: 'More for this message' }).click();
      const near = (element) => {
        const [bubble, actions] = ['.bubble', '.actions'].map((part) => element.querySelector(part).getBoundingClientRect());
        return actions.left < bubble.right + 20 && actions.right > bubble.left - 20;
      };
      await until(() => row.evaluate(near), `${user}: the actions at the message`);
      await whole(device, '.menu-list', `${user}: the menu of the ${edge}`);
      await device.page.keyboard.press('Escape');
      await device.gone('.menu-list');
      await row.getByRole('button', { name: 'React', exact: true }).click();
      await whole(device, '.quick-emoji', `${user}: the quick emoji of the ${edge}`);
      await device.button('More emoji').click();
      await device.see('.emoji-picker .emoji');
      await whole(device, '.emoji-picker', `${user}: the emoji of the ${edge}`);
      await until(() => device.page.evaluate(() => document.activeElement.matches('.emoji-picker input')), 'the focus in the search');
      await device.page.keyboard.press('Escape');
      await device.gone('.emoji-picker');
    }
    device.clean();
    await device.close();
  }
});

/** In the page: a note looked at in the moment it comes, and dismissed; later it may have gone by itself. */
const dismissed = (isWhole) =>
  new Promise((done) => {
    const look = () => {
      const note = document.querySelector('.note');
      if (!note) return;
      observer.disconnect();
      const seen = { text: note.textContent, whole: isWhole(note), places: document.querySelectorAll('.notes[role=status]').length };
      note.querySelector('[aria-label=Dismiss]').click();
      requestAnimationFrame(() => done({ ...seen, left: document.querySelectorAll('.note').length }));
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { childList: true, subtree: true });
    look();
  });

test('what goes wrong in a dialog is told above it, and can be dismissed', async () => {
  const fay = await enter('fay');
  await server.call('gil', 'contact.block', { user: 'fay' });
  await fay.button('New group').click();
  await fay.find('[name=group]').fill('No way');
  await fay.find('dialog [aria-label="Find people"]').fill('gil');
  await fay.find('dialog .person-row', { hasText: 'gil' }).click();
  const looked = fay.page.evaluate(`(${dismissed})(${isWhole})`);
  await fay.button('Make the group').click();
  const note = await looked;
  assert.match(note.text, /cannot be reached/);
  assert.ok(note.whole, 'above the veil');
  assert.deepEqual([note.places, note.left], [1, 0]);
  assert.equal(await fay.find('[name=group]').inputValue(), 'No way');
  await fay.page.keyboard.press('Escape');
  await fay.close();
});

/** Without a network, as one opens the page there: once so many rows of each store are kept. */
async function offline(device, rows) {
  await device.page.evaluate(() => navigator.serviceWorker.ready);
  for (const [store, count] of Object.entries(rows))
    await until(async () => (await device.kept([store])).length === count, `${count} rows in ${store}`);
  await device.context.setOffline(true);
  await device.page.reload();
  await device.see('.connection-line');
}

/** Another window of the same browser. */
async function another(device) {
  const page = await device.context.newPage();
  const other = Object.assign(Object.create(Device.prototype), device, { page });
  await page.goto(server.url);
  return other;
}

test('a draft outlives the page; the answer and the edit that were begun wait for one’s return', async () => {
  for (const user of ['hal', 'ian']) await send(user, 'jane', `from ${user}`);
  let jane = await enter('jane');
  await jane.open('hal');
  await jane.find('.composer-field').fill('half a thought');
  await jane.page.close();
  jane = await another(jane);
  await jane.see('.channel-row .draft');
  await jane.open('hal');
  await jane.typed('half a thought');
  await (await jane.point('from hal')).getByRole('button', { name: 'Reply' }).click();
  await jane.open('ian');
  await jane.gone('.composer-context');
  await jane.send('to be improved');
  await jane.see('.history [role=article]', { hasText: 'to be improved' });
  await jane.page.keyboard.press('ArrowUp');
  await jane.see('.composer-context', { hasText: 'Editing' });
  await jane.find('.composer-field').fill('improved, nearly');
  await jane.open('hal');
  await jane.see('.composer-context', { hasText: 'from hal' });
  await jane.typed('half a thought');
  await jane.open('ian');
  await jane.see('.composer-context', { hasText: 'Editing' });
  await jane.typed('improved, nearly');
  await jane.page.keyboard.press('Enter');
  await jane.seeMessage('improved, nearly');
  await jane.close();
});

test('an edit that is refused comes back to its own conversation, not to the one that is open then', async () => {
  for (const user of ['kim', 'lea']) await send(user, 'mo', `from ${user}`);
  const mo = await enter('mo');
  await mo.open('kim');
  await mo.send('as it was');
  await mo.see('.history [role=article]', { hasText: 'as it was' });
  await mo.page.keyboard.press('ArrowUp');
  await mo.see('.composer-context', { hasText: 'Editing' });
  await mo.find('.composer-field').fill('as it should be');
  const { channel, message_id } = (await server.call('kim', 'channel.list', {})).channels[0].last_message;
  await server.call('mo', 'message.delete', { channel, message_id });
  // gone to another one before the refusal is here
  await mo.page.evaluate(() => {
    document.querySelector('.composer-field').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
    [...document.querySelectorAll('.channel-row')].find((row) => row.textContent.includes('from lea')).click();
  });
  await mo.saw('.note', 'deleted');
  await mo.see('.conversation-head', { hasText: 'lea' });
  assert.equal(await mo.find('.composer-context').count(), 0);
  await mo.open('kim');
  await mo.see('.composer-context', { hasText: 'Editing' });
  await mo.typed('as it should be');
  await mo.close();
});

test('logged out from elsewhere, a device keeps no draft for the next one who uses it', async () => {
  const nia = await enter('nia');
  await send('oz', 'nia', 'between us');
  await nia.open('oz');
  await nia.find('.composer-field').fill('very private');
  const drafts = () => nia.page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('chat.draft')).length);
  await until(async () => (await drafts()) === 1, 'the draft to be kept');
  await server.call('nia', 'device.remove', { device: 'nia-web' });
  await nia.see('.entrance');
  await until(async () => (await drafts()) === 0, 'the draft to go');
  await nia.close();
});

test('a button that is pressed twice in a hurry makes one group', async () => {
  const pam = await enter('pam');
  await pam.button('New group').click();
  await pam.find('[name=group]').fill('Only one');
  await pam.button('Make the group').evaluate((button) => {
    button.click();
    button.click();
  });
  await pam.see('.conversation-head', { hasText: 'Only one' });
  const { channels } = await server.call('pam', 'channel.list', {});
  assert.deepEqual(channels.map((c) => c.name), ['Only one']);
  await pam.close();
});

test('a profile: only what was changed is sent, what is too long is told; a name for the group, too', async () => {
  await server.call('quin', 'user.update', { display_name: 'Quin Ames' });
  const quin = await enter('quin');
  await quin.section('Settings');
  // as if the profile had not come yet when one began to type
  await quin.find('[name=status]').fill('reading');
  await server.call('quin', 'user.update', { display_name: 'Quin B. Ames' });
  await quin.button('Save', 'form').click();
  await quin.saw('.note', 'Saved');
  const { user } = await server.call('quin', 'user.get', { user: 'quin' });
  assert.deepEqual([user.display_name, user.status], ['Quin B. Ames', 'reading']);
  await quin.find('[name=status]').fill('😀'.repeat(201));
  await quin.see('.form-problem', { hasText: 'At most 200' });
  await until(() => quin.button('Save', 'form').isDisabled(), 'nothing that could be saved');
  await server.call('quin', 'channel.create', { name: 'Book club', members: [] });
  await quin.section('Chats');
  await quin.open('Book club');
  await quin.button(/^Details of Book club/).click();
  await quin.find('[aria-label="Name of the group"]').fill('x'.repeat(201));
  await quin.see('dialog .form-problem', { hasText: 'At most 200' });
  await quin.close();
});

test('a page that stays open over midnight does not call yesterday today', async () => {
  await send('ray', 'sky', 'good night');
  const sky = await Device.open(browser, server);
  await sky.context.addInitScript(() => {
    const now = Date.now;
    window.asleep = 0;
    window.Date = class extends Date {
      constructor(...values) {
        super(...(values.length ? values : [now() + window.asleep]));
      }
      static now() {
        return now() + window.asleep;
      }
    };
  });
  await sky.useToken('sky', 'dev=sky', 'jti=sky');
  await sky.open('ray');
  await sky.see('.day', { hasText: 'Today' });
  await sky.page.evaluate(() => {
    window.asleep = 86_400_000;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await sky.see('.day', { hasText: 'Yesterday' });
  await sky.see('.channel-row .channel-time', { hasText: 'Yesterday' });
  await sky.close();
});

test('a part of the page that cannot be fetched is told, and the rest goes on', async () => {
  const tia = await enter('tia', { serviceWorkers: 'block' });
  await tia.page.route(/assets\/(settings|user_dialog)-.*\.js$/, (route) => route.abort());
  await tia.section('Settings');
  await tia.see('.note', { hasText: 'could not be loaded' });
  await tia.section('Chats');
  // the second of the same words becomes the first
  await Promise.all([tia.page.waitForEvent('requestfailed'), tia.find('.nav-me').click()]);
  await tia.see('.note', { hasText: 'could not be loaded' });
  assert.equal(await tia.find('.note').count(), 1);
  await tia.find('#search').fill('still here');
  assert.equal(await tia.find('dialog').count(), 0);
  await tia.page.unroute(/assets\/(settings|user_dialog)-.*\.js$/);
  // what is pressed before it is loaded again is lost
  await Promise.all([tia.page.waitForEvent('load'), tia.button('Reload').click()]);
  await tia.see('html[data-ready]');
  await tia.section('Settings');
  await tia.see('[name=status]');
  await tia.close();
});

test('what waits to be sent looks as it will: with its quote, at its place; and can be taken back', async () => {
  await send('uma', 'val', 'a question');
  const val = await enter('val');
  await val.open('uma');
  await val.send('one');
  await val.see('.history [role=article]', { hasText: 'one' });
  await offline(val, { messages: 2, outbox: 0 });
  await (await val.point('a question')).getByRole('button', { name: 'Reply' }).click();
  await val.send('two');
  await val.send('three');
  await val.see('.pending .message .quote', { hasText: 'a question' });
  // both in the same moment: the view may be moving
  const distance = () =>
    val.page.evaluate(() => {
      const top = (text) => [...document.querySelectorAll('.history .bubble')].findLast((b) => b.querySelector('.text')?.textContent === text)?.getBoundingClientRect().top;
      return top('two') - top('one');
    });
  const waiting = await distance();
  assert.ok(waiting > 0);
  await val.find('.pending .message', { hasText: 'three' }).getByRole('button', { name: 'Do not send' }).click();
  await until(async () => (await val.find('.pending .message').count()) === 1, 'one to wait');
  await val.context.setOffline(false);
  await val.see('.history [role=article]', { hasText: 'two' });
  await val.gone('.pending');
  await until(async () => Math.abs((await distance()) - waiting) < 1.5, `it to stand ${waiting} below, as before`);
  const { channels } = await server.call('uma', 'channel.list', {});
  assert.equal(channels[0].last_message.text, 'two');
  await val.close();
});

test('writing: the send button leaves the focus in the field; Enter sends where there is a keyboard, else it is a new line', async () => {
  await send('will', 'xia', 'write to me');
  const wide = await enter('xia');
  const phone = await enter('xia', PHONE);
  const focused = (device) => device.page.evaluate(() => document.activeElement.matches('.composer-field'));
  for (const device of [wide, phone]) {
    await device.open('will');
    await device.find('.composer-field').click();
    await device.page.keyboard.type('hello');
    await device.page.keyboard.press('Enter');
  }
  await wide.see('.history [role=article]', { hasText: 'hello' });
  assert.equal(await phone.find('.composer-field').inputValue(), 'hello\n');
  const size = await phone.find('.composer-field').evaluate((field) => parseFloat(getComputedStyle(field).fontSize));
  assert.ok(size >= 16, `letters of ${size} px make a phone zoom in`);
  await phone.page.keyboard.type('from the phone');
  await phone.button('Send').tap();
  await wide.see('.history [role=article]', { hasText: 'from the phone' });
  assert.ok(await focused(phone), 'the keyboard of the phone stays');
  await wide.page.keyboard.type('again');
  await wide.button('Send').click();
  await wide.see('.history [role=article]', { hasText: 'again' });
  assert.ok(await focused(wide));
  await wide.button('Emoji').click();
  await wide.see('.emoji-picker');
  await wide.find('.composer-field').focus();
  await wide.gone('.emoji-picker');
  // the Enter that picks a word while one composes
  await wide.page.keyboard.type('かな');
  await wide.find('.composer-field').dispatchEvent('keydown', { key: 'Enter', keyCode: 229 });
  assert.equal(await wide.find('.composer-field').inputValue(), 'かな');
  for (const device of [wide, phone]) await device.close();
});

test('the shortcuts of the list do what it says; those of one letter can be turned off', async () => {
  for (const user of ['yan', 'zoe']) await send(user, 'abe', `from ${user}`);
  const abe = await enter('abe');
  const { page } = abe;
  await abe.see('.channel-row', { hasText: 'from zoe' });
  const escape = async () => {
    await page.keyboard.press('Escape');
    await abe.gone('dialog');
  };
  for (const [key, title] of [['?', 'Shortcuts'], ['n', 'New chat'], ['g', 'New group']]) {
    await page.keyboard.press(key);
    await abe.see('dialog h2', { hasText: title });
    await escape();
  }
  await page.keyboard.press('2');
  await abe.see('.page-head', { hasText: 'Contacts' });
  await page.keyboard.press('1');
  await page.keyboard.press('Alt+ArrowDown');
  await abe.see('.conversation-head', { hasText: 'zoe' });
  await page.keyboard.press('Alt+ArrowDown');
  await abe.see('.conversation-head', { hasText: 'yan' });
  await page.keyboard.press('Alt+ArrowUp');
  await abe.see('.conversation-head', { hasText: 'zoe' });
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('3');
  await abe.find('.switch-row', { hasText: 'one letter' }).locator('input').uncheck();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('n');
  await page.keyboard.press('2');
  await abe.see('.page-head', { hasText: 'Settings' });
  assert.equal(await abe.find('dialog').count(), 0);
  await abe.close();
});

test('a key counts as soon as the page is seen', async () => {
  const ada = await Device.open(browser, server);
  await ada.context.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector('.shell')) return;
      observer.disconnect();
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true, cancelable: true }));
    }).observe(document, { childList: true, subtree: true });
  });
  await ada.useToken('ada', 'dev=ada', 'jti=ada');
  await ada.see('dialog h2', { hasText: 'Shortcuts' });
  await ada.close();
});

test('who finds that he has no account yet need not type all of it again', async () => {
  const ben = await Device.open(browser, server);
  await ben.find('[name=user]').fill('ben');
  await ben.find('[name=password]').fill('12345678');
  await ben.button('Log in').click();
  await ben.see('.form-problem', { hasText: 'wrong' });
  const drawn = await ben.button('Make an account').evaluate(async (button) => {
    button.click();
    await new Promise(requestAnimationFrame);
    return ['.form', '.form-problem'].map((selector) => document.querySelector(selector).textContent);
  });
  assert.match(drawn[0], /at least 8 characters/);
  assert.equal(drawn[1], '', 'what was wrong at the log-in, also in the first drawing');
  await ben.button('Sign up').click();
  await ben.see('.shell');
  await ben.close();
});

test('the back button of a phone leads up, never down into a conversation one has left', async () => {
  await send('cal', 'deb', 'come in');
  const deb = await enter('deb', PHONE);
  await deb.open('cal');
  const steps = () => deb.page.evaluate(() => history.length);
  const inside = await steps();
  for (let i = 0; i < 3; i++) {
    await deb.button('Back to the list').click();
    await deb.see('.side');
    await deb.open('cal');
  }
  assert.equal(await steps(), inside);
  await deb.page.goBack();
  await deb.see('.side');
  await deb.close();
});

test('the address of a conversation opens it although it is hidden, and says when it is not for one’s eyes', async () => {
  await send('eli', 'flo', 'under the carpet');
  const { channel } = (await server.call('flo', 'channel.list', {})).channels[0];
  await server.call('flo', 'channel.hide', { channel });
  const flo = await enter('flo');
  await flo.page.goto(`${server.url}#/c/${encodeURIComponent(channel)}`);
  await flo.seeMessage('under the carpet');
  await flo.page.goto(`${server.url}#/c/g.0123456789abcdef`);
  await flo.see('.conversation.empty', { hasText: 'You are not in this conversation' });
  await flo.button('Back to the list').click();
  await flo.gone('.conversation.empty', { hasText: 'You are not' });
  await flo.close();
});

test('without a network a press is answered: what waits is said to wait, a search says why it finds nothing', async () => {
  for (const user of ['gwen', 'hugo']) await server.call(user, 'contact.request', { user: 'iris' });
  const iris = await enter('iris');
  await iris.section('Contacts');
  await iris.see('.contact-row', { hasText: 'gwen' });
  await offline(iris, { contacts: 2 });
  await iris.find('[aria-label="Find people"]').fill('nobody');
  await iris.saw('.people-results', 'Searching');
  await iris.see('.people-results', { hasText: 'offline' });
  await iris.button('Accept gwen').click();
  await iris.saw('.note', 'as soon as there is a connection');
  await iris.context.setOffline(false);
  await iris.see('section[aria-label=Friends]', { hasText: 'gwen' });
  await iris.close();
});

test('the focus goes on where the pressed button goes away', async () => {
  await send('june', 'kurt', 'hi');
  await server.call('june', 'contact.request', { user: 'kurt' });
  const kurt = await enter('kurt');
  const focused = (selector) => until(() => kurt.page.evaluate((s) => document.activeElement.matches(s), selector), `the focus on ${selector}`);
  await kurt.section('Contacts');
  await kurt.button('Accept june').press('Enter');
  await kurt.see('section[aria-label=Friends]', { hasText: 'june' });
  await focused('.page-head h1');
  await kurt.section('Chats');
  await kurt.open('june');
  await kurt.button(/^Details of june/).click();
  await kurt.button('Block', 'dialog').press('Enter');
  await focused('.button.danger');
  await kurt.page.keyboard.press('Escape');
  await kurt.gone('dialog');
  await (await kurt.point('hi')).getByRole('button', { name: 'Reply' }).click();
  await kurt.button('Cancel reply').press('Enter');
  await focused('.composer-field');
  await kurt.close();
});

test('Enter in a search takes the first that was found: a chat, a person, a member', async () => {
  for (const [user, name] of [['lars', 'Lars Holm'], ['mia', 'Mia Lund']]) await server.call(user, 'user.update', { display_name: name });
  await send('lars', 'ned', 'hi');
  await send('mia', 'ned', 'hi');
  const ned = await enter('ned');
  await ned.see('.channel-row', { hasText: 'Lars Holm' });
  await ned.find('#search').fill('lars');
  await ned.page.keyboard.press('Enter');
  await ned.see('.conversation-head', { hasText: 'Lars Holm' });
  await ned.button('New chat').click();
  await ned.find('dialog input').fill('mia');
  await ned.see('dialog .person-row', { hasText: 'Mia Lund' });
  await ned.page.keyboard.press('Enter');
  await ned.see('.conversation-head', { hasText: 'Mia Lund' });
  await ned.button('New group').click();
  await ned.find('dialog [aria-label="Find people"]').fill('lars');
  await ned.see('dialog .person-row', { hasText: 'Lars Holm' });
  await ned.page.keyboard.press('Enter');
  await ned.see('.chip', { hasText: 'Lars Holm' });
  await ned.close();
});

test('a group says how many more fit before it is full, and when it is', async () => {
  const people = Array.from({ length: 99 }, (_, i) => `guest${i}`);
  await server.call('olga', 'channel.create', { name: 'Nearly full', members: people.slice(0, 94) });
  await server.call('olga', 'channel.create', { name: 'Full house', members: people });
  const olga = await enter('olga');
  await olga.open('Nearly full');
  await olga.button(/^Details of Nearly full/).click();
  await olga.button('Add people').click();
  await olga.see('dialog', { hasText: 'Room for 5 more' });
  await olga.page.keyboard.press('Escape');
  await olga.gone('dialog');
  await olga.open('Full house');
  await olga.button(/^Details of Full house/).click();
  assert.ok(await olga.button('The group is full').isDisabled());
  await olga.close();
});

test('a conversation that was opened offline, and of which nothing was kept, is there with the connection', async () => {
  await send('paul', 'rita', 'you have not seen this');
  const rita = await Device.open(browser, server);
  // nobody waits for the half minute that a call may take
  await rita.context.addInitScript(() => {
    const later = window.setTimeout;
    window.givenUp = 0;
    const giveUp = (run) => {
      window.givenUp++;
      run();
    };
    window.setTimeout = (run, ms, ...more) => (ms > 20_000 ? later(giveUp, 500, run) : later(run, ms, ...more));
  });
  await rita.useToken('rita', 'dev=rita', 'jti=rita');
  await rita.see('.channel-row', { hasText: 'you have not' });
  await offline(rita, { channels: 1 });
  await rita.page.evaluate(() => (window.givenUp = 0));
  await rita.open('paul');
  await rita.see('.history', { hasText: 'shown when you are online' });
  await until(() => rita.page.evaluate(() => window.givenUp > 0), 'the calls to be given up');
  await rita.see('[role=feed][aria-busy=false]');
  await rita.context.setOffline(false);
  await rita.seeMessage('you have not seen this');
  await rita.close();
});

test('the keyboard scrolls from the field, and reaches the messages one sees, also far up', async () => {
  for (let i = 1; i <= 60; i++) await send(i % 2 ? 'sara' : 'theo', i % 2 ? 'theo' : 'sara', `note ${i}.`);
  const theo = await enter('theo');
  await theo.open('sara');
  await theo.seeMessage('note 60.');
  for (let i = 0; i < 3; i++) await theo.page.keyboard.press('PageUp');
  await theo.button(/^To the newest message/).waitFor();
  const focused = () => theo.page.evaluate(() => document.activeElement.getAttribute('role') === 'article' && document.activeElement.dataset.id);
  for (let i = 0; i < 6 && !(await focused()); i++) await theo.page.keyboard.press('Shift+Tab');
  const id = Number(await focused());
  assert.ok(id > 0 && id < 55, `the focus is on ${id}`);
  await theo.page.keyboard.press('ArrowUp');
  assert.equal(Number(await focused()), id - 1);
  await theo.close();
});

test('the conversation stays while one searches, and is there after a look at the contacts; on a phone the list is', async () => {
  await send('ugo', 'vera', 'stay with me');
  const wide = await enter('vera');
  await wide.open('ugo');
  await wide.page.evaluate(() => document.activeElement.blur());
  await wide.page.keyboard.press('/');
  await until(() => wide.page.evaluate(() => document.activeElement.id === 'search'), 'the search field');
  await wide.page.keyboard.type('ugo');
  await wide.see('.conversation-head', { hasText: 'ugo' });
  await wide.page.keyboard.press('Enter');
  await until(() => wide.page.evaluate(() => document.activeElement.matches('.composer-field')), 'the field for writing');
  await until(async () => (await wide.find('#search').inputValue()) === '', 'the search to be over');
  await wide.section('Contacts');
  await wide.section('Chats');
  await wide.see('.conversation-head', { hasText: 'ugo' });
  const phone = await enter('vera', PHONE);
  await phone.open('ugo');
  await phone.section('Contacts');
  await phone.section('Chats');
  await phone.see('.channel-row', { hasText: 'ugo' });
  await phone.gone('.conversation-head');
  for (const device of [wide, phone]) await device.close();
});
