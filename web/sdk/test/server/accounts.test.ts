import 'fake-indexeddb/auto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Chat, ChatOptions } from '../../src/index.ts';
import { chatOf, heard } from '../lib/chats.ts';
import { Locks } from '../lib/locks.ts';
import { MemoryStorage } from '../lib/memory.ts';
import { Server, sign, until } from '../lib/server.ts';

const password = 'correct horse';
let server: Server;

beforeEach(() => void vi.stubGlobal('navigator', { locks: new Locks() }));
afterEach(() => vi.unstubAllGlobals());

async function page(name: string, options: ChatOptions = {}): Promise<Chat> {
  const chat = chatOf(server, '', { token: undefined, storage: 'indexeddb', name, ...options });
  await chat.start();
  return chat;
}

const synced = (chat: Chat) => until(() => chat.state.synced, 'in sync: ' + JSON.stringify(chat.state));

describe('accounts', () => {
  beforeAll(async () => void (server = await Server.start({ api: 'chat_accounts on;' })));
  afterAll(() => server.stop());

  it('sign up, reload, log out, log in', async () => {
    const chat = await page('one');
    expect(chat.state).toMatchObject({ status: 'signed_out', user: null });
    await expect(chat.login({ user: 'alice', password })).rejects.toMatchObject({ code: 401, reason: 'bad_credentials' });
    const session = await chat.signup({ user: 'alice', password, display_name: 'Alice' });
    expect(session).toMatchObject({ user: 'alice', device: chat.state.device });
    await synced(chat);
    expect((await chat.call('user.get', { user: 'alice' })).user.display_name).toBe('Alice');
    await chat.send({ to: 'alice', text: 'a note' }).sent;
    await chat.stop();

    const again = await page('one');
    expect(again.state.user).toBe('alice');
    expect(again.channels().length).toBe(1);
    await synced(again);
    const states = heard(again, 'state');
    await again.logout();
    expect(again.state).toMatchObject({ status: 'signed_out', reason: 'logged_out', user: null });
    expect(states.some((s) => s.reason && s.reason !== 'logged_out')).toBe(false);
    expect(again.channels()).toEqual([]);
    await again.login({ user: 'alice', password });
    await synced(again);
    await until(() => again.channels().length === 1, 'the channel');
  });

  it('logged out on another device: signed out here, and nothing is left', async () => {
    const here = await page('three');
    await here.signup({ user: 'carol', password });
    await synced(here);
    const there = await page('four');
    await there.login({ user: 'carol', password });
    await synced(there);
    await here.call('device.remove', { device: there.state.device! });
    await until(() => there.state.status === 'signed_out', 'signed out there');
    expect(there.state.reason).toMatch(/device_removed|token_ended/);
    await there.stop();
    expect((await page('four')).state).toMatchObject({ status: 'signed_out', user: null });
    expect(here.state.status).toBe('online');
  });

  it('another password ends the other logins', async () => {
    const here = await page('five');
    await here.signup({ user: 'dave', password });
    const there = await page('six');
    await there.login({ user: 'dave', password });
    await Promise.all([synced(here), synced(there)]);
    await expect(here.changePassword('wrong horse', 'another horse')).rejects.toMatchObject({ reason: 'wrong_password' });
    await here.changePassword(password, 'another horse');
    await until(() => there.state.status === 'signed_out', 'signed out there');
    expect(here.state.status).toBe('online');
  });

  it('tabs log in and out together', async () => {
    const first = await page('seven', { tabs: true });
    const second = await page('seven', { tabs: true });
    await second.signup({ user: 'erin', password });
    await Promise.all([synced(first), synced(second)]);
    expect([first.state.leader, second.state.leader]).toEqual([true, false]);
    expect(first.state.user).toBe('erin');
    await Promise.all([first.logout(), second.logout()]);
    for (const chat of [first, second]) {
      expect(chat.state).toMatchObject({ status: 'signed_out', reason: 'logged_out', user: null });
    }
    await second.login({ user: 'erin', password });
    await Promise.all([synced(first), synced(second)]);
  });

  it('a token that ended while away is told at the return, and the data stays for the next login', async () => {
    const storage = new MemoryStorage();
    const chat = await page('eight', { storage });
    await chat.signup({ user: 'frank', password });
    await synced(chat);
    await chat.send({ to: 'frank', text: 'a note' }).sent;
    await chat.stop();
    const over = (token: string) => sign({ ...JSON.parse(atob(token.split('.')[1]!)), exp: 1 });
    const age = (meta: any) => ({ ...meta, session: { ...meta.session, token: over(meta.session.token) } });
    await storage.write([{ store: 'meta', key: 'meta', update: age }]);
    const again = await page('eight', { storage });
    await until(() => again.state.status === 'signed_out', 'signed out');
    expect(again.state).toMatchObject({ reason: 'token_expired', user: 'frank' });
    expect(again.channels().length).toBe(1);
    await again.login({ user: 'frank', password });
    await synced(again);
  });
});

describe('a token that is good for seconds', () => {
  beforeAll(async () => void (server = await Server.start({ api: 'chat_accounts on; chat_token_lifetime 12s;' })));
  afterAll(() => server.stop());

  it('is renewed for as long as one stays', async () => {
    // it has a third of its time left then; more, since the machine may stand still meanwhile
    const later = setTimeout;
    const sooner = (run: (...more: any[]) => void, ms = 0, ...more: any[]) => later(run, ms > 5_000 && ms <= 8_000 ? 500 : ms, ...more);
    vi.stubGlobal('setTimeout', sooner);
    const chat = await page('two');
    await chat.signup({ user: 'bob', password });
    const over = Date.now() + 13_000;
    await synced(chat);
    const states = heard(chat, 'state');
    await until(() => Date.now() > over, 'the first token to be over');
    expect(states.filter((s) => s.status !== 'online')).toEqual([]);
    await chat.call('ping', {});
    // the fresh one is kept
    await chat.stop();
    await synced(await page('two'));
  });
});
