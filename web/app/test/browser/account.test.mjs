// One's account: another password, invites to a group, export, the end.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { violations } from './lib/axe.mjs';
import { Device, launch, PASSWORD } from './lib/device.mjs';
import { Server } from './lib/server.mjs';

const NEW_PASSWORD = 'another horse battery';

let server, browser, lou, max;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

/** Nothing serious in what is shown. */
async function accessible(device) {
  assert.deepEqual(await violations(device.page), []);
}

test('another password logs the other devices out', async () => {
  lou = await Device.open(browser, server);
  await lou.signUp('lou', 'Lou Reed');
  const other = await Device.open(browser, server);
  await other.logIn('lou');
  await lou.section('Settings');
  await lou.button('Change the password').click();
  await lou.see('dialog input');
  await accessible(lou);
  await lou.find('dialog input').nth(0).fill('not the password');
  await lou.find('dialog input').nth(1).fill(NEW_PASSWORD);
  await lou.button('Change', 'dialog').click();
  await lou.see('dialog .form-problem', { hasText: 'wrong' });
  await lou.find('dialog input').nth(0).fill(PASSWORD);
  await lou.button('Change', 'dialog').click();
  await lou.gone('dialog');
  await other.see('.entrance');
  await other.logIn('lou', NEW_PASSWORD);
  await other.close();
});

test('an invite: made, followed by somebody, taken back', async () => {
  const made = await server.call('lou', 'channel.create', { name: 'Velvet', members: [] });
  max = await Device.open(browser, server);
  await max.signUp('max', 'Max');
  await lou.section('Chats');
  await lou.open('Velvet');
  await lou.button(/^Details of Velvet/).click();
  await lou.button('Make a link that is good for a week').click();
  await lou.see('.member', { hasText: '0 joined' });
  await accessible(lou);
  const { invites } = await server.call('lou', 'invite.list', { channel: made.channel.channel });
  await max.page.goto(`${server.url}#/join/${invites[0].invite}`);
  await max.see('dialog', { hasText: 'Velvet' });
  await accessible(max);
  await max.button('Join the group').click();
  await max.see('.conversation-head', { hasText: '2 members' });
  await lou.button('Revoke').click();
  await lou.gone('.member', { hasText: 'joined' });
  await max.page.goto(`${server.url}#/join/${invites[0].invite.replaceAll(/[0-9a-f]/g, '0')}`);
  await max.see('dialog', { hasText: 'no such invite' });
  for (const device of [max, lou]) {
    await device.page.keyboard.press('Escape');
    await device.gone('dialog');
  }
});

test('an export is a file with what the server has', async () => {
  await server.call('lou', 'message.send', { to: 'max', client_id: 'e', text: 'to be exported' });
  await lou.section('Settings');
  const [download] = await Promise.all([lou.page.waitForEvent('download'), lou.button('Export my data').click()]);
  assert.equal(download.suggestedFilename(), 'chat-lou.jsonl');
  const lines = readFileSync(await download.path(), 'utf8').trim().split('\n');
  for (const line of lines) JSON.parse(line);
  assert.ok(lines.some((line) => line.includes('to be exported')));
});

test('a deleted account is gone for good; nobody takes its name', async () => {
  await lou.section('Settings');
  await lou.button('Delete the account').click();
  await lou.see('dialog input[type=password]');
  await accessible(lou);
  await lou.find('dialog input[type=password]').fill('wrong password');
  await lou.button('Delete for good').click();
  await lou.see('dialog .form-problem', { hasText: 'wrong' });
  await lou.find('dialog input[type=password]').fill(NEW_PASSWORD);
  await lou.button('Delete for good').click();
  await lou.see('.entrance');
  await lou.find('[name=user]').fill('lou');
  await lou.find('[name=password]').fill(NEW_PASSWORD);
  await lou.button('Log in').click();
  await lou.see('.form-problem', { hasText: 'wrong' });
  await lou.button('Make an account').click();
  await lou.find('[name=user]').fill('lou');
  await lou.find('[name=password]').fill(NEW_PASSWORD);
  await lou.button('Sign up').click();
  await lou.see('.form-problem', { hasText: 'taken' });
});

test('the consoles are clean', () => {
  for (const device of [lou, max]) device.clean(/Failed to load resource.*(401|403|404|409)/);
});
