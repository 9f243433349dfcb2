// The page is careful with what one has: it asks before what cannot be taken
// back, loses nothing that was typed, and finds what was put away.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { violations } from './lib/axe.mjs';
import { Device, launch, until } from './lib/device.mjs';
import { Server } from './lib/server.mjs';
import { shot } from './lib/shots.mjs';

let server, browser, objs;

before(async () => {
  // a page of one's own, of which there can be another version
  const built = process.env.CHAT_OBJS ?? resolve(import.meta.dirname, '../../../../objs');
  process.env.CHAT_SCREENSHOTS ??= join(built, 'screenshots');
  objs = mkdtempSync(join(tmpdir(), 'objs-'));
  for (const name of readdirSync(built)) if (name !== 'web') symlinkSync(join(built, name), join(objs, name));
  cpSync(join(built, 'web'), join(objs, 'web'), { recursive: true });
  process.env.CHAT_OBJS = objs;
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.end();
  if (objs) rmSync(objs, { recursive: true, force: true });
});

async function enter(user, options, device = `${user}-web`) {
  const entered = await Device.open(browser, server, options);
  await entered.useToken(user, `dev=${device}`, `jti=${device}`);
  return entered;
}

/** Another tab of the same browser. */
async function another(device) {
  const tab = Object.assign(Object.create(Device.prototype), device, { page: await device.context.newPage() });
  await tab.page.goto(device.server.url);
  return tab;
}

let sends = 0;
const send = (user, to, text) => server.call(user, 'message.send', { to, client_id: `${++sends}`, text });
const group = async (user, name, members) => (await server.call(user, 'channel.create', { name, members })).channel.channel;
const field = (device) => device.find('.composer-field');
const holds = (device, text) => until(async () => (await field(device).inputValue()) === text, `"${text}" in the field`);

// --- asked first

test('who is made an owner is one only after a question', async () => {
  const channel = await group('ada', 'Engines', ['bea']);
  const role = async () => (await server.call('ada', 'channel.get', { channel })).channel.members.find((m) => m.user === 'bea').role;
  const ada = await enter('ada');
  await ada.open('Engines');
  await ada.button(/^Details of Engines/).click();
  const choose = async () => {
    await ada.button('Manage bea').click();
    await ada.find('[role=menuitem]', { hasText: 'Make owner' }).click();
    await ada.see('dialog', { hasText: 'Make bea an owner?' });
  };
  await choose();
  assert.deepEqual(await violations(ada.page), []);
  await shot(ada, 'ask-owner');
  await ada.button('Cancel').click();
  await ada.gone('dialog >> nth=1');
  assert.equal(await role(), 'member');
  await choose();
  await ada.button('Make owner', 'dialog >> nth=1').click();
  await ada.see('.member .role >> nth=1', { hasText: 'owner' });
  assert.equal(await role(), 'owner');
  ada.clean();
  await ada.close();
});

test('another device is logged out only after a question', async () => {
  const here = await enter('cid', {}, 'here');
  const there = await enter('cid', {}, 'there');
  await here.section('Settings');
  await here.button(/^Log out on/).click();
  await here.see('dialog', { hasText: 'Log out on' });
  assert.deepEqual(await violations(here.page), []);
  await shot(here, 'ask-device');
  await here.button('Cancel').click();
  await here.gone('dialog');
  await there.see('.shell');
  await here.button(/^Log out on/).click();
  await here.button('Log out there', 'dialog').click();
  await there.see('.entrance');
  await here.gone('[data-device=there]');
  // the button went with its row, not the place of whoever has no pointer
  await here.see('h2:focus', { hasText: 'Devices' });
  here.clean();
  await here.close();
  await there.close();
});

// --- found again

test('what was hidden on another device is found by the search, opened, and stays off the list', async () => {
  const channel = await group('dan', 'Attic', ['eve']);
  await server.call('eve', 'message.send', { channel, client_id: `${++sends}`, text: 'under the roof' });
  await send('eve', 'dan', 'just us two');
  const { channels } = await server.call('dan', 'channel.list', {});
  for (const { channel } of channels) await server.call('dan', 'channel.hide', { channel });
  const dan = await enter('dan');
  await dan.see('.welcome');
  await dan.find('#search').fill('attic');
  await dan.see('.channel-row', { hasText: 'Attic' });
  await dan.see('.channel-row [aria-label=Hidden]');
  assert.deepEqual(await violations(dan.page), []);
  await shot(dan, 'hidden-found');
  await dan.open('Attic');
  await dan.seeMessage('under the roof');
  await dan.gone('.channel-row');
  // whoever looks for the person gets there, too
  await dan.page.reload();
  await dan.button('New chat').click();
  await dan.find('dialog input').fill('eve');
  await dan.find('dialog .person-row', { hasText: 'eve' }).click();
  await dan.seeMessage('just us two');
  await dan.send('and back on the list');
  await dan.see('.channel-row', { hasText: 'and back on the list' });
  assert.equal(await dan.find('.channel-row').count(), 1);
  dan.clean();
  await dan.close();
});

// --- not lost

/** A direct conversation in which one has written these, open. */
async function having(user, ...texts) {
  for (const text of texts) await send(user, `${user}-pal`, text);
  const device = await enter(user);
  await device.open(`${user}-pal`);
  for (const text of texts) await device.seeMessage(text);
  return device;
}

const refuseEdits = (device) =>
  device.page.routeWebSocket(/\/ws/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((data) => {
      const { id, method } = JSON.parse(data);
      if (method !== 'message.edit') return server.send(data);
      const error = { code: 409, message: 'no', data: { reason: 'too_many_edits' } };
      const refuse = () => socket.send(JSON.stringify({ jsonrpc: '2.0', id, error }));
      if (device.hold) device.held = refuse;
      else refuse();
    });
  });

test('an edit that another one interrupts comes back when that is done', async () => {
  const fay = await having('fay', 'first', 'second', 'third');
  await fay.onMessage('first', 'Edit');
  await holds(fay, 'first');
  await field(fay).fill('first, changed');
  await fay.onMessage('second', 'Edit');
  await holds(fay, 'second');
  await fay.send('second, saved');
  await fay.seeMessage('second, saved');
  await holds(fay, 'first, changed');
  // an answer, too
  await (await fay.seeMessage('third')).locator('.bubble').hover();
  await fay.button('Reply').click();
  await holds(fay, '');
  await fay.send('an answer');
  await holds(fay, 'first, changed');
  await fay.page.keyboard.press('Enter');
  await fay.seeMessage('first, changed');
  await fay.gone('.composer-context');
  // one that changed nothing does not
  await fay.onMessage('third', 'Edit');
  await holds(fay, 'third');
  await fay.onMessage('an answer', 'Edit');
  await holds(fay, 'an answer');
  await fay.page.keyboard.press('Escape');
  await fay.gone('.composer-context');
  fay.clean();
  await fay.close();
});

test('an edit that cannot be saved is lost neither to another edit nor to what is being written', async () => {
  for (const text of ['one', 'two']) await send('gus', 'gus-pal', text);
  const gus = await Device.open(browser, server);
  await refuseEdits(gus);
  gus.hold = true;
  await gus.useToken('gus', 'dev=gus', 'jti=gus');
  await gus.open('gus-pal');
  await gus.onMessage('one', 'Edit');
  await holds(gus, 'one');
  await gus.send('one, refused');
  await holds(gus, '');
  await until(() => gus.held, 'the edit at the server');
  await gus.onMessage('two', 'Edit');
  await holds(gus, 'two');
  await field(gus).fill('two, being changed');
  gus.held();
  await gus.see('.note.bad', { hasText: 'edited too often' });
  await holds(gus, 'two, being changed');
  await gus.page.keyboard.press('Escape');
  await holds(gus, 'one, refused');
  // again, while one writes something else
  gus.held = null;
  await gus.page.keyboard.press('Enter');
  await holds(gus, '');
  await until(() => gus.held, 'the edit at the server');
  await field(gus).fill('something else');
  gus.held();
  await gus.see('.note.bad >> nth=1');
  await holds(gus, 'something else');
  await gus.page.keyboard.press('Enter');
  await gus.see('.history [role=article]', { hasText: 'something else' });
  await holds(gus, 'one, refused');
  await gus.close();
});

test('an edit that is put back before it could go is not sent', async () => {
  const edits = [];
  const pen = await Device.open(browser, server);
  pen.page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => payload.includes('message.edit') && edits.push(payload)));
  await pen.useToken('pen', 'dev=pen', 'jti=pen');
  await send('pen', 'pen-pal', 'as it was');
  await pen.open('pen-pal');
  await pen.seeMessage('as it was');
  await pen.context.setOffline(true);
  await pen.see('.connection-line');
  for (const [before, after] of [['as it was', 'better'], ['better', 'worse'], ['worse', 'as it was']]) {
    await pen.onMessage('as it was', 'Edit');
    await holds(pen, before);
    await pen.send(after);
    await holds(pen, '');
  }
  await pen.context.setOffline(false);
  await pen.gone('.connection-line');
  await pen.send('back again');
  await pen.see('.history [role=article]', { hasText: 'back again' });
  assert.deepEqual(edits, []);
  // one that was not put back goes, in the words saved last
  await pen.context.setOffline(true);
  await pen.see('.connection-line');
  for (const [before, after] of [['as it was', 'better'], ['better', 'best']]) {
    await pen.onMessage('as it was', 'Edit');
    await holds(pen, before);
    await pen.send(after);
    await holds(pen, '');
  }
  await pen.context.setOffline(false);
  await pen.seeMessage('best');
  assert.deepEqual(edits.map((payload) => JSON.parse(payload).params.text), ['best']);
  await pen.close();
});

test('a message has the text that was saved last, also when one before it was on its way', async () => {
  for (const text of ['one', 'two']) await send('quy', 'quy-pal', text);
  const quy = await Device.open(browser, server);
  let forward = null;
  await quy.page.routeWebSocket(/\/ws/, (socket) => {
    const far = socket.connectToServer();
    socket.onMessage((data) => {
      if (JSON.parse(data).method === 'message.edit' && !forward) forward = () => far.send(data);
      else far.send(data);
    });
  });
  const saved = (text) =>
    until(async () => {
      const { last_message: last } = (await server.call('quy', 'channel.list', {})).channels[0];
      return last.edited_at && last.text === text;
    }, `${text} at the server`);
  await quy.useToken('quy', 'dev=quy', 'jti=quy');
  await quy.open('quy-pal');
  const edit = async (now, text) => {
    await quy.onMessage(now, 'Edit');
    await holds(quy, text);
  };
  // saved again while the first is on its way
  await edit('two', 'two');
  await quy.send('two, better');
  await until(() => forward, 'the edit at the server');
  await edit('two', 'two, better');
  await quy.send('two');
  await holds(quy, '');
  forward();
  await saved('two');
  // taken up again while it is on its way, and saved when it has arrived
  forward = null;
  await edit('two', 'two');
  await quy.send('two, again');
  await until(() => forward, 'the edit at the server');
  await edit('two', 'two, again');
  await field(quy).fill('two');
  forward();
  await quy.seeMessage('two, again');
  await holds(quy, 'two');
  await quy.page.keyboard.press('Enter');
  await saved('two');
  await quy.close();
});

test('what was begun is there after a reload, though the tab that leads then is slow to answer', async () => {
  const lea = await having('lea', 'mine');
  const second = await another(lea);
  await second.see('html[data-ready=chat]');
  await second.page.evaluate(() => {
    const post = BroadcastChannel.prototype.postMessage;
    BroadcastChannel.prototype.postMessage = function (message) {
      if (message.type !== 'snapshot') post.call(this, message);
    };
  });
  await lea.onMessage('mine', 'Edit');
  await holds(lea, 'mine');
  await field(lea).fill('mine, changed');
  await lea.page.reload();
  await holds(lea, 'mine, changed');
  await lea.see('.composer-context', { hasText: 'Editing' });
  await lea.close();
});

test('what was begun in a tab that is away at the log-out is gone when it comes again', async () => {
  const ned = await having('ned', 'mine');
  await ned.onMessage('mine', 'Edit');
  await holds(ned, 'mine');
  await field(ned).fill('mine, changed');
  await ned.page.goto('about:blank');
  const second = await another(ned);
  await second.section('Settings');
  await second.button('Log out').click();
  await second.see('.entrance');
  await ned.page.goto(server.url);
  await ned.see('.entrance');
  // the tab that has the connection says that nobody is logged in, and may say it later
  await until(() => ned.page.evaluate(() => sessionStorage.length === 0), 'what was begun to go');
  await ned.close();
});

test('what was begun goes with the store of the server, also in a tab that is away', async () => {
  const other = await Server.start();
  const write = (user, to, text) => other.call(user, 'message.send', { to, client_id: `${++sends}`, text });
  try {
    for (const text of ['old one', 'old two', 'old three', 'old four']) await write('rex', 'rex-pal', text);
    const rex = await Device.open(browser, other);
    await rex.useToken('rex', 'dev=rex', 'jti=rex');
    const away = await another(rex);
    for (const tab of [rex, away]) {
      await tab.open('rex-pal');
      await tab.onMessage('old one', 'Edit');
      await holds(tab, 'old one');
      await field(tab).fill('old one, changed');
    }
    await away.page.goto('about:blank');
    await rex.context.setOffline(true);
    await rex.see('.connection-line');
    await rex.onMessage('old two', 'Edit');
    await holds(rex, 'old two');
    await rex.send('old two, saved');
    await holds(rex, 'old one, changed');

    await other.kill();
    rmSync(join(other.directory, 'store'), { recursive: true });
    await other.up();
    for (const text of ['new one', 'new two']) await write('rex', 'rex-pal', text);
    await rex.context.setOffline(false);
    await rex.seeMessage('new two');
    await rex.gone('.composer-context');
    await holds(rex, '');
    await away.page.goto(other.url);
    await away.open('rex-pal');
    for (const tab of [away, rex]) {
      await tab.page.bringToFront();
      await tab.onMessage('new one', 'Edit');
      await holds(tab, 'new one');
    }
    await rex.send('new one, changed');
    await rex.seeMessage('new one, changed');
    const { message } = await other.call('rex', 'message.get', { channel: 'd.rex~rex-pal', message_id: 2 });
    assert.equal(message.text, 'new two');
    await rex.close();
  } finally {
    await other.end();
  }
});

test('a press beside a form takes away nothing that was typed', async () => {
  const hal = await enter('hal');
  const beside = () => hal.page.mouse.click(4, 4);
  await hal.button('New group').click();
  await hal.see('[name=group]');
  await beside();
  await hal.gone('dialog');
  await hal.button('New group').click();
  await hal.find('[name=group]').fill('A long name');
  await beside();
  assert.equal(await hal.find('[name=group]').inputValue(), 'A long name');
  await hal.page.keyboard.press('Escape');
  await hal.gone('dialog');
  await hal.close();
});

test('a group that was not made yet is there when one comes back to it, for nobody else', async () => {
  const yui = await Device.open(browser, server);
  await yui.signUp('yui');
  await server.call('zed', 'user.update', { display_name: 'Zed' });
  const name = yui.find('[name=group]');
  const begin = async () => {
    await yui.page.keyboard.press('Escape');
    await yui.gone('dialog');
    await yui.button('New group').click();
    await name.waitFor();
  };
  await begin();
  await name.fill('Half a group');
  await yui.find('dialog [aria-label="Find people"]').fill('zed');
  await yui.find('dialog .person-row', { hasText: 'zed' }).click();
  await begin();
  assert.equal(await name.inputValue(), 'Half a group');
  await yui.see('.chip', { hasText: 'Zed' });
  await yui.button('Make the group').click();
  await yui.see('.conversation-head', { hasText: 'Half a group' });
  await begin();
  assert.equal(await name.inputValue(), '');
  assert.equal(await yui.find('.chip').count(), 0);
  await name.fill('A secret');
  await yui.page.keyboard.press('Escape');
  await yui.section('Settings');
  await yui.button('Log out').click();
  await yui.see('.entrance');
  await yui.signUp('yun');
  await begin();
  assert.equal(await name.inputValue(), '');
  await yui.close();
});

test('what is saved is not typed any more: a press beside closes the dialog', async () => {
  const channel = await group('xan', 'Old name', []);
  const xan = await enter('xan');
  const beside = () => xan.page.mouse.click(4, 4);
  const name = xan.find('[aria-label="Name of the group"]');
  await xan.open('Old name');
  await xan.button(/^Details of Old name/).click();
  await name.fill('New name');
  await beside();
  assert.equal(await name.inputValue(), 'New name');
  await xan.button('Rename').click();
  await xan.saw('.note', 'Saved');
  await beside();
  await xan.gone('dialog');
  assert.equal((await server.call('xan', 'channel.get', { channel })).channel.name, 'New name');
  // nor is what was put back
  await xan.button(/^Details of New name/).click();
  await name.fill('Newer name');
  await beside();
  assert.equal(await name.inputValue(), 'Newer name');
  await name.fill('New name');
  await beside();
  await xan.gone('dialog');
  await xan.close();
});

test('while a question is open the keys are for it', async () => {
  const ian = await enter('ian', {}, 'ian-here');
  const there = await enter('ian', {}, 'ian-there');
  await ian.section('Settings');
  await ian.button(/^Log out on/).click();
  await ian.see('dialog');
  for (const key of ['1', 'n', '?']) await ian.page.keyboard.press(key);
  assert.equal(await ian.find('dialog').count(), 1);
  await ian.see('.section-settings');
  await ian.page.keyboard.press('Escape');
  await ian.gone('dialog');
  await ian.page.keyboard.press('1');
  await ian.see('.section-chats');
  await ian.close();
  await there.close();
});

test('a dialog that goes with its group leaves the keys to the page', async () => {
  const channel = await group('oda', 'Doors', ['pip']);
  const pip = await enter('pip');
  await pip.open('Doors');
  await pip.button(/^Details of Doors/).click();
  await pip.see('dialog');
  await server.call('oda', 'channel.remove', { channel, users: ['pip'] });
  await pip.gone('dialog');
  await pip.page.keyboard.press('2');
  await pip.see('.section-contacts');
  await pip.close();
});

test('the details of a message are gone when one is in another conversation', async () => {
  await send('tom', 'ula', 'to one');
  await send('tom', 'vic', 'to the other');
  const tom = await enter('tom');
  await tom.open('ula');
  await tom.open('vic');
  await tom.onMessage('to the other', 'Details');
  await tom.see('dialog', { hasText: 'vic' });
  await tom.page.goBack();
  await tom.seeMessage('to one');
  await tom.gone('dialog');
  await tom.page.evaluate(() => document.activeElement.blur());
  await tom.page.keyboard.press('2');
  await tom.see('.section-contacts');
  await tom.close();
});

test('a dialog that was open at a log-out is not open for whoever comes next', async () => {
  const rae = await Device.open(browser, server);
  await rae.signUp('rae');
  await rae.button('New chat').click();
  await rae.see('dialog');
  const second = await another(rae);
  await second.section('Settings');
  await second.button('Log out').click();
  await rae.see('.entrance');
  await rae.signUp('sid');
  await rae.page.keyboard.press('2');
  await rae.see('.section-contacts');
  await rae.gone('dialog');
  await rae.close();
});

test('what was refused is not said to wait', async () => {
  await send('jay', 'kim', 'hi');
  const kim = await enter('kim');
  await kim.open('jay');
  await server.call('jay', 'contact.block', { user: 'kim' });
  await kim.send('are you there?');
  await kim.see('.failed', { hasText: 'Not sent' });
  await kim.see('.channel-row [aria-label="Not sent"]');
  await shot(kim, 'not-sent');
  assert.deepEqual(await violations(kim.page), []);
  await kim.close();
});

// --- another version

let version = 1;

/** Another version of the page is at the server from now on. */
function publish() {
  const web = join(objs, 'web');
  const change = (file, from, to) => {
    const path = join(web, file);
    const before = readFileSync(path, 'utf8');
    assert.match(before, from);
    writeFileSync(path, before.replace(from, to));
    // two of one second are two as well: to nginx a file is its time and length
    utimesSync(path, version, version);
  };
  version++;
  change('index.html', /<html lang="en"[^>]*>/, `<html lang="en" data-version="${version}">`);
  change('service-worker.js', /[0-9a-f]{16}/, String(version).padStart(16, '0'));
}

const look = (device) => device.page.evaluate(async () => (await navigator.serviceWorker.ready).update());

test('a new version is offered once, comes when one wants it, and takes nothing away that was typed', async () => {
  await send('leo', 'max', 'the other one');
  await send('leo', 'leo-pal', 'my own');
  await send('leo-pal', 'leo', 'a question');
  const leo = await enter('leo');
  await leo.page.evaluate(() => navigator.serviceWorker.ready);
  await until(() => leo.page.evaluate(() => !!navigator.serviceWorker.controller), 'the service worker');
  const second = await another(leo);
  await second.open('max');
  await field(second).fill('typed in the other tab');

  await leo.page.bringToFront();
  await leo.open('max');
  await leo.open('leo-pal');
  await field(leo).fill('a draft');
  await (await leo.seeMessage('a question')).locator('.bubble').hover();
  await leo.button('Reply').click();
  await leo.see('.composer-context', { hasText: 'a question' });
  await leo.onMessage('my own', 'Edit');
  await holds(leo, 'my own');
  await field(leo).fill('my own, changed');

  for (let i = 0; i < 2; i++) {
    publish();
    await look(leo);
    await until(() => leo.page.evaluate(async () => {
      const { waiting, installing } = await navigator.serviceWorker.ready;
      return waiting && !installing;
    }), `version ${version} to be ready`);
  }
  for (const tab of [leo, second]) await tab.see('.note', { hasText: 'A new version is ready.' });
  assert.equal(await leo.find('.note').count(), 1);
  assert.deepEqual(await violations(leo.page), []);

  await second.page.evaluate(() => (window.same = true));
  await leo.button('Reload').click();
  await leo.see(`html[data-version="${version}"][data-ready=chat]`);
  await holds(leo, 'my own, changed');
  await leo.see('.composer-context', { hasText: 'Editing' });
  await leo.page.keyboard.press('Enter');
  await leo.seeMessage('my own, changed');
  await holds(leo, 'a draft');

  // the other tab goes on as it is, until one wants it there, too
  assert.equal(await second.page.evaluate(() => window.same), true);
  await holds(second, 'typed in the other tab');
  await second.page.bringToFront();
  await second.button('Reload').click();
  await second.see(`html[data-version="${version}"][data-ready=chat]`);
  await holds(second, 'typed in the other tab');
  await leo.close();
});

test('a second new version leaves the focus on the offer of the first', async () => {
  const wim = await enter('wim');
  await wim.page.evaluate(() => navigator.serviceWorker.ready);
  await until(() => wim.page.evaluate(() => !!navigator.serviceWorker.controller), 'the service worker');
  publish();
  await look(wim);
  await wim.see('.note', { hasText: 'A new version is ready.' });
  await wim.button('Reload').focus();
  publish();
  await wim.page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const installed = new Promise((done) => {
      // after the page has heard of it
      registration.addEventListener('updatefound', () => {
        const worker = registration.installing;
        worker.addEventListener('statechange', () => worker.state === 'installed' && done());
      });
    });
    await registration.update();
    await installed;
    // and has drawn it
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  });
  assert.equal(await wim.find('.note').count(), 1);
  await wim.see('.note button:focus', { hasText: 'Reload' });
  await wim.page.keyboard.press('Enter');
  await wim.see(`html[data-version="${version}"][data-ready=chat]`);
  await wim.close();
});

// --- colours

test('each colour is written once, for light and dark, in words that older browsers know', async () => {
  const html = await (await fetch(server.url)).text();
  const css = await (await fetch(new URL(/\/assets\/[^"]+\.css/.exec(html)[0], server.url))).text();
  assert.doesNotMatch(css, /light-dark\(/);
  const roots = [...css.matchAll(/:root[^{]*\{([^}]*)\}/g)].map(([, rules]) => rules);
  const names = [...roots.join().matchAll(/(?<![\w-])--(?!lightningcss)[\w-]+(?=:)/g)].map(([name]) => name);
  assert.ok(names.includes('--bg'));
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), []);
});
