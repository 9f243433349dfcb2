import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heard, online } from '../lib/chats.ts';
import { Server, until } from '../lib/server.ts';

describe('people', () => {
  let server: Server;
  beforeAll(async () => void (server = await Server.start({ http: 'chat_presence_timeout 1s;' })));
  afterAll(() => server.stop());

  it('contacts: asked, accepted, known in both lists, online and offline', async () => {
    const alice = await online(server, 'alice');
    const bob = await online(server, 'bob');
    await alice.call('contact.request', { user: 'bob' });
    expect(alice.contact('bob')).toBe('requested');
    await until(() => bob.contact('alice') === 'incoming', 'the request');
    await bob.call('contact.accept', { user: 'alice' });
    await until(() => alice.contact('bob') === 'friend', 'the answer');
    await until(() => alice.presence('bob')?.online, 'bob online');
    await bob.stop();
    await until(() => alice.presence('bob')?.online === false, 'bob offline');
    const again = await online(server, 'alice', { device: 'second' });
    await until(() => again.presence('bob'), 'the presence after a start');
    expect(again.contacts()).toEqual([{ user: 'bob', state: 'friend' }]);
  });

  it('watched members of a group are told of until nobody watches', async () => {
    const carol = await online(server, 'carol');
    await carol.call('channel.create', { name: 'g', members: ['dave'] });
    const changes = heard(carol, 'presence.changed');
    const end = carol.watch(['dave']);
    await until(() => carol.presence('dave')?.online === false, 'the first answer');
    const dave = await online(server, 'dave');
    await until(() => carol.presence('dave')?.online, 'dave online');
    expect(changes.length).toBeGreaterThan(1);
    end();
    expect(dave.state.status).toBe('online');
  });

  it('profiles come when they are asked for', async () => {
    const erin = await online(server, 'erin');
    await erin.call('user.update', { display_name: 'Erin <script>\u202e' });
    expect(erin.user('erin')!.display_name).toBe('Erin <script>\u202e');
    const frank = await online(server, 'frank');
    const came = heard(frank, 'user');
    expect(frank.user('erin')).toBeUndefined();
    frank.user('erin');
    frank.user('nobody-here');
    await until(() => came.length === 2, 'both answers');
    expect(frank.user('erin')!.display_name).toBe('Erin <script>\u202e');
    expect(frank.user('nobody-here')).toBeUndefined();
    expect(came.map((e) => e.user)).toEqual(['erin', 'nobody-here']);
  });

  it('a group: typing, roles, leaving, hiding, muting, a member who is removed', async () => {
    const gina = await online(server, 'gina');
    const henry = await online(server, 'henry');
    const { channel } = (await gina.call('channel.create', { name: 'Plans', members: ['henry'] })).channel;
    await until(() => henry.channel(channel), 'the group');
    expect(henry.channel(channel)).toMatchObject({ kind: 'group', name: 'Plans', unread: 0 });

    gina.typing(channel);
    gina.typing(channel);
    await until(() => henry.typingIn(channel).length, 'typing');
    expect(henry.typingIn(channel)).toEqual(['gina']);
    await gina.send({ channel, text: 'hi' }).sent;
    await until(() => henry.channel(channel)!.unread === 1, 'the message');
    expect(henry.typingIn(channel)).toEqual([]);

    await henry.call('channel.mute', { channel, until: null });
    expect(henry.channel(channel)!.muted_until).toBeNull();
    await henry.call('channel.hide', { channel });
    expect(henry.channels()).toEqual([]);
    await gina.send({ channel, text: 'come back' }).sent;
    await until(() => henry.channels().length === 1, 'it to be back');

    await gina.call('channel.role', { channel, user: 'henry', role: 'admin' });
    await until(() => henry.channel(channel)!.members[1]!.role === 'admin', 'the role');
    await gina.call('channel.remove', { channel, users: ['henry'] });
    await until(() => !henry.channel(channel), 'it to be gone');
    const { sent } = henry.send({ channel, text: 'too late' });
    await expect(sent).rejects.toMatchObject({ code: 404, reason: 'channel_not_found' });
    expect(henry.outbox()).toMatchObject([{ state: 'failed', error: { reason: 'channel_not_found' } }]);
    henry.discard(henry.outbox()[0]!.client_id);
    expect(henry.outbox()).toEqual([]);
  });

  it('texts of 100,000 emoji pass, longer ones are refused and stay in the outbox', async () => {
    const ida = await online(server, 'ida');
    await until(() => ida.state.limits, 'the limits');
    const most = '😀'.repeat(ida.state.limits!.text_chars);
    await ida.send({ to: 'ida', text: most }).sent;
    await expect(ida.send({ to: 'ida', text: most + '!' }).sent).rejects.toMatchObject({ code: -32602 });
    await expect(ida.send({ to: 'ida', text: 'x'.repeat(3e6) }).sent).rejects.toMatchObject({ code: 413 });
    expect(ida.state.status).toBe('online');
    expect(ida.outbox().map((e) => e.state)).toEqual(['failed', 'failed']);
  });
});
