import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heard, online, texts } from '../lib/chats.ts';
import { Server, until } from '../lib/server.ts';

describe('two users', () => {
  let server: Server;
  beforeAll(async () => void (server = await Server.start()));
  afterAll(() => server.stop());

  it('talk: the message, the list, unread counts, marks', async () => {
    const alice = await online(server, 'alice');
    const bob = await online(server, 'bob');
    const came = heard(bob, 'message.new');
    const own = heard(alice, 'message.new');

    const { channel, message_id } = await alice.send({ to: 'bob', text: 'hello' }).sent;
    expect(message_id).toBe(1);
    expect(own.map((e) => e.message.text)).toEqual(['hello']);
    await until(() => came.length, 'the message');
    expect(came[0]!.message).toMatchObject({ channel, sender: 'alice', text: 'hello' });

    await until(() => bob.channels().length, 'the channel in the list');
    expect(bob.channels()[0]).toMatchObject({ channel, peer: 'alice', unread: 1, newest: 1 });
    await until(() => alice.direct('bob'), 'the direct channel');
    expect(alice.channel(channel)).toMatchObject({ unread: 0, read: 1 });

    await until(() => alice.mark(own[0]!.message) === 'delivered', 'delivered');
    bob.read(channel);
    expect(bob.channel(channel)!.unread).toBe(0);
    await until(() => alice.mark(own[0]!.message) === 'read', 'read');
    expect(alice.outbox()).toEqual([]);
  });

  it('a timeline follows sends, edits, reactions, deletions', async () => {
    const carol = await online(server, 'carol');
    const dave = await online(server, 'dave');
    const timeline = carol.timeline({ to: 'dave' });
    await timeline.newest();
    expect(timeline.messages).toEqual([]);
    carol.send({ to: 'dave', text: 'one' });
    expect(timeline.pending.map((e) => e.text)).toEqual(['one']);
    await until(() => timeline.messages.length === 1, 'the message in the timeline');
    expect(timeline.pending).toEqual([]);
    const channel = timeline.channel!;

    const other = dave.timeline({ channel });
    await other.newest();
    expect(texts(other.messages)).toEqual(['one']);
    await carol.edit(channel, 1, 'uno');
    await until(() => other.messages[0]!.text === 'uno', 'the edit');
    await dave.react(channel, 1, '👍');
    await until(() => timeline.messages[0]!.reactions?.length, 'the reaction');
    expect(timeline.messages[0]!.reactions).toEqual([{ emoji: '👍', users: ['dave'] }]);
    await carol.delete(channel, 1);
    await until(() => other.messages[0]!.deleted_at, 'the deletion');
    expect(other.messages[0]!.text).toBeUndefined();
  });
});
