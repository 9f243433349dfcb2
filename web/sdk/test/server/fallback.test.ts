import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heard, online, quick } from '../lib/chats.ts';
import { Server, until } from '../lib/server.ts';

describe.each([
  ['sse', { without: ['ws'] as const }],
  ['longpoll', { without: ['ws', 'events'] as const }],
] as const)('where only %s gets through', (name, { without }) => {
  let server: Server;
  beforeAll(async () => void (server = await Server.start({ without: [...without] })));
  afterAll(() => server.stop());

  it('everything works, and WebSocket is taken up when it is there again', async () => {
    const alice = await online(server, 'alice', { timing: { ...quick, poll: 2 } });
    const bob = await online(server, 'bob', { timing: { ...quick, poll: 2 } });
    expect(alice.state.transport).toBe(name);
    const came = heard(bob, 'message.new');
    const own = heard(alice, 'message.new');
    const { channel } = await alice.send({ to: 'bob', text: 'one' }).sent;
    await until(() => came.length && own.length, 'the message at both ends');
    await until(() => !alice.outbox().length, 'the outbox to be empty');
    await bob.react(channel, 1, '👋');

    await server.reload({ without: [] });
    await until(() => alice.state.transport === 'websocket' && bob.state.transport === 'websocket', 'WebSocket');
    await bob.send({ channel, text: 'two' }).sent;
    await until(() => own.length === 2, 'the answer');
    expect(own.map((e) => e.message.text)).toEqual(['one', 'two']);
    expect(came.map((e) => e.message.text)).toEqual(['one', 'two']);
  });
});

describe('Node 20', () => {
  let server: Server;
  beforeAll(async () => void (server = await Server.start()));
  afterAll(() => server.stop());

  it('has no WebSocket: events come by SSE', async () => {
    const alice = await online(server, 'alice', { WebSocket: null });
    expect(alice.state.transport).toBe('sse');
    const came = heard(alice, 'message.new');
    await server.send('bob', 'alice', 'hello');
    await until(() => came.length, 'the message');
  });
});
