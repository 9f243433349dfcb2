import { beforeEach, describe, expect, it } from 'vitest';
import { Emitter } from '../../src/emitter.ts';
import { newer, reacted } from '../../src/message.ts';
import { Model } from '../../src/model.ts';
import type { Message } from '../../src/protocol.ts';
import { defaults } from '../../src/timing.ts';
import type { Change, ChatEvents } from '../../src/types.ts';

const message = (message_id: number, sender = 'bob', more: Partial<Message> = {}): Message => ({
  channel: 'c',
  message_id,
  sender,
  sent_at: message_id,
  client_id: sender + message_id,
  type: 'text',
  text: 'm' + message_id,
  ...more,
});

describe('the model', () => {
  let model: Model;
  let unknown: string[];
  let kept: Change[];
  beforeEach(() => {
    unknown = [];
    kept = [];
    model = new Model({
      emitter: new Emitter<ChatEvents>(),
      // no time passes here
      timing: { ...defaults, typing: Infinity },
      me: () => 'alice',
      now: () => 0,
      keep: (change) => void kept.push(change),
      unknownChannel: (channel) => void unknown.push(channel),
      touch: () => {},
    });
  });

  const add = (...messages: Message[]) =>
    messages.forEach((m, i) => model.apply('message.new', { inbox_id: i + 1, message: m }));

  const group = (more = {}) =>
    model.apply('channel.updated', {
      inbox_id: 1,
      channel: {
        channel: 'c',
        kind: 'group',
        name: 'Friends',
        created_at: 0,
        members: [
          { user: 'alice', role: 'owner' },
          { user: 'bob', role: 'member' },
          { user: 'carol', role: 'member' },
        ],
        ...more,
      },
    });

  it('unread: counted from markers, whatever comes twice', () => {
    add(message(1), message(2), message(2), message(1));
    expect(model.channels.get('c')).toMatchObject({ unread: 2, newest: 2, read: 0, peer: 'bob' });
    expect(model.channels.read('c', 1)).toBe(1);
    expect(model.channels.read('c', 1)).toBe(0);
    expect(model.channels.get('c')!.unread).toBe(1);
    expect(model.channels.read('c', 99)).toBe(2);
    add(message(3, 'alice'));
    expect(model.channels.get('c')).toMatchObject({ unread: 0, read: 3 });
  });

  it('asks for a channel that it does not know', () => {
    add(message(1));
    expect(unknown).toEqual(['c']);
    expect(model.channels.direct('bob')!.channel).toBe('c');
  });

  it('a hidden channel comes back with the next message; one that was left goes', () => {
    group();
    model.applyResult('channel.hide', { channel: 'c' }, { channel: { channel: 'c', kind: 'group' } });
    expect(model.channels.list()).toEqual([]);
    expect(model.channels.all()).toHaveLength(1);
    add(message(1));
    expect(model.channels.list()).toHaveLength(1);
    model.apply('channel.updated', { inbox_id: 2, removed: true, channel: { channel: 'c', kind: 'group' } });
    expect(model.channels.get('c')).toBeUndefined();
  });

  it('the list of the hidden ones makes known what is hidden, but hides nothing that a message has shown again', () => {
    const listed = (last_message: Message | null) =>
      model.applyResult('channel.list', { hidden: true }, { channels: [{ channel: 'c', kind: 'group', name: 'g', members: [], last_message, read: 0 }] });
    listed(null);
    expect(model.channels.list()).toEqual([]);
    expect(model.channels.all()).toHaveLength(1);
    add(message(1));
    listed(null);
    expect(model.channels.list()).toHaveLength(1);
    listed(message(1));
    expect(model.channels.list()).toEqual([]);
  });

  it('marks: delivered and read by all others', () => {
    group();
    const mine = message(1, 'alice');
    add(mine);
    expect(model.channels.mark(mine)).toBe('sent');
    const receipt = (user: string, delivered: number, read: number) =>
      model.apply('receipt', { channel: 'c', user, delivered, read });
    receipt('bob', 1, 1);
    expect(model.channels.mark(mine)).toBe('sent');
    receipt('carol', 1, 0);
    expect(model.channels.mark(mine)).toBe('delivered');
    receipt('carol', 1, 1);
    expect(model.channels.mark(mine)).toBe('read');
  });

  it('a change of the group keeps what is known of its members', () => {
    group();
    model.apply('receipt', { channel: 'c', user: 'bob', delivered: 4, read: 3 });
    group({ name: 'Old friends' });
    expect(model.channels.get('c')).toMatchObject({ name: 'Old friends' });
    expect(model.channels.get('c')!.members[1]).toEqual({ user: 'bob', role: 'member', delivered: 4, read: 3 });
  });

  it('the list: newest activity first, the same array until something changes', () => {
    group();
    add(message(1, 'bob', { channel: 'd', sent_at: 100 }));
    const list = model.channels.list();
    expect(list.map((c) => c.channel)).toEqual(['d', 'c']);
    expect(model.channels.list()).toBe(list);
    add(message(1, 'bob', { sent_at: 200 }));
    expect(model.channels.list().map((c) => c.channel)).toEqual(['c', 'd']);
  });

  it('runs of messages grow together', () => {
    model.messages.open('c');
    const ids = (at?: number) => model.messages.run('c', at).map((m) => m.message_id);
    model.messages.page('c', [message(10), message(11)]);
    model.messages.page('c', [message(5), message(6)]);
    expect([ids(), ids(5)]).toEqual([
      [10, 11],
      [5, 6],
    ]);
    expect(model.messages.run('c')).toBe(model.messages.run('c'));
    model.messages.page('c', [message(7), message(8), message(9), message(10)]);
    expect(ids()).toEqual([5, 6, 7, 8, 9, 10, 11]);
    add(message(12));
    expect(ids(5).at(-1)).toBe(12);
  });

  it('what is kept: only what hangs together with the newest is shown', () => {
    model.messages.open('c');
    model.messages.restore('c', [message(1), message(2), message(4), message(5)], 5);
    expect(model.messages.run('c').map((m) => m.message_id)).toEqual([4, 5]);
    model.messages.open('d');
    model.messages.restore('d', [message(1, 'bob', { channel: 'd' })], 2);
    expect(model.messages.run('d')).toEqual([]);
  });

  it('channels nobody looks at cost no memory, but are kept', () => {
    add(message(1));
    expect(model.messages.get('c', 1)).toBeUndefined();
    expect(kept.some((change) => 'key' in change && change.store === 'messages')).toBe(true);
  });

  it('contacts and profiles', () => {
    model.apply('contact.updated', { inbox_id: 1, contact: { user: 'bob', state: 'incoming' } });
    expect(model.people.contact('bob')).toBe('incoming');
    model.applyResult('contact.accept', { user: 'bob' }, { contact: { user: 'bob', state: 'friend' } });
    expect(model.people.contacts()).toEqual([{ user: 'bob', state: 'friend' }]);
    model.apply('contact.updated', { inbox_id: 2, contact: { user: 'bob', state: 'none' } });
    expect(model.people.contacts()).toEqual([]);
    model.applyResult('user.get', { user: 'nobody' }, { missing: true });
    expect(model.people.profiles.get('nobody')!.profile).toBeNull();
  });

  it('typing ends with the message', () => {
    model.apply('typing', { channel: 'c', user: 'bob' });
    expect(model.typing.in('c')).toEqual(['bob']);
    add(message(1));
    expect(model.typing.in('c')).toEqual([]);
    expect([model.typing.due('c'), model.typing.due('c')]).toEqual([true, false]);
  });
});

describe('two views of one message', () => {
  it('a deletion is final, the later edit wins', () => {
    const deleted = message(1, 'bob', { text: undefined, deleted_at: 5 });
    const edited = message(1, 'bob', { text: 'new', edited_at: 4 });
    expect(newer(deleted, edited)).toBe(deleted);
    expect(newer(edited, deleted)).toBe(deleted);
    expect(newer(edited, message(1))).toBe(edited);
    expect(newer(message(1), edited)).toBe(edited);
  });

  it('a reaction is there once a user and emoji', () => {
    const event = (user: string, emoji: string, removed = false) => ({
      inbox_id: 1,
      channel: 'c',
      message_id: 1,
      user,
      emoji,
      removed,
    });
    let m = reacted(message(1), event('bob', '👍'));
    m = reacted(m, event('bob', '👍'));
    m = reacted(m, event('carol', '👍'));
    m = reacted(m, event('carol', '❤️'));
    expect(m.reactions).toEqual([
      { emoji: '👍', users: ['bob', 'carol'] },
      { emoji: '❤️', users: ['carol'] },
    ]);
    m = reacted(m, event('carol', '❤️', true));
    m = reacted(m, event('bob', '👍', true));
    expect(m.reactions).toEqual([{ emoji: '👍', users: ['carol'] }]);
    expect(reacted(m, event('carol', '👍', true)).reactions).toBeUndefined();
  });
});
