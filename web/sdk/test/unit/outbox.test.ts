import { beforeEach, describe, expect, it } from 'vitest';
import { ChatError } from '../../src/errors.ts';
import { Outbox, type OutboxChange, type OutboxHooks } from '../../src/outbox.ts';
import type { MessageSendParams, MessageSendResult } from '../../src/protocol.ts';
import type { OutboxEntry } from '../../src/types.ts';

const DAY = 24 * 3600 * 1000;

class Fake implements OutboxHooks {
  online = true;
  cursor = 0;
  time = 1000;
  changes: OutboxChange[] = [];
  calls: { params: MessageSendParams; resolve: (r: MessageSendResult) => void; reject: (e: Error) => void }[] = [];

  now = () => this.time;
  canSend = () => this.online;
  transmit = (params: MessageSendParams) =>
    new Promise<MessageSendResult>((resolve, reject) => this.calls.push({ params, resolve, reject }));
  conversation = (entry: OutboxEntry) => entry.channel ?? '@' + entry.to;
  outboxChanged = (change: OutboxChange) => void this.changes.push(change);

  texts = () => this.calls.map((call) => call.params.text);
}

let order = 0;
const entry = (client_id: string, to = 'bob', more: Partial<OutboxEntry> = {}): OutboxEntry => ({
  client_id,
  to,
  text: client_id,
  created_at: 0,
  state: 'queued',
  attempted_at: 0,
  order: order++,
  ...more,
});

const result = (message_id: number, inbox_id = message_id): MessageSendResult => ({
  channel: 'c',
  message_id,
  inbox_id,
  sent_at: 0,
});

const settle = () => new Promise((go) => setTimeout(go));

describe('the outbox', () => {
  let fake: Fake;
  let outbox: Outbox;
  beforeEach(() => {
    fake = new Fake();
    outbox = new Outbox(fake);
  });

  const states = () => outbox.list().map((e) => [e.client_id, e.state]);

  it('sends one at a time in a conversation, several conversations side by side', async () => {
    for (const e of [entry('a'), entry('b'), entry('x', 'carol')]) outbox.add(e);
    expect(fake.texts()).toEqual(['a', 'x']);
    fake.cursor = 1;
    fake.calls[0]!.resolve(result(1));
    await settle();
    expect(fake.texts()).toEqual(['a', 'x', 'b']);
    expect(states()).toEqual([
      ['b', 'sending'],
      ['x', 'sending'],
    ]);
  });

  it('keeps what is stored until its event was told, so that nothing flickers', async () => {
    outbox.add(entry('a'));
    fake.calls[0]!.resolve(result(1, 5));
    await settle();
    expect(states()).toEqual([['a', 'sending']]);
    expect(fake.changes.at(-1)).toMatchObject({ client_id: 'a', result: { message_id: 1 } });
    outbox.told('a', result(1, 5));
    expect(states()).toEqual([]);
  });

  it('waits while there is no connection, then repeats with the same client_id', async () => {
    outbox.add(entry('a'));
    outbox.add(entry('b'));
    fake.online = false;
    fake.calls[0]!.reject(new ChatError(0, 'offline'));
    await settle();
    expect(states()).toEqual([
      ['a', 'queued'],
      ['b', 'queued'],
    ]);
    fake.online = true;
    outbox.pump();
    expect(fake.texts()).toEqual(['a', 'a']);
  });

  it('an event that came although the answer was lost takes it out', async () => {
    outbox.add(entry('a'));
    fake.online = false;
    fake.calls[0]!.reject(new ChatError(0, 'offline'));
    await settle();
    outbox.told('a', result(1));
    fake.online = true;
    outbox.pump();
    expect(fake.texts()).toEqual(['a']);
  });

  it('a refusal stands until somebody decides, and holds nobody up', async () => {
    outbox.add(entry('a'));
    outbox.add(entry('b'));
    fake.calls[0]!.reject(new ChatError(403, 'blocked', 'no'));
    await settle();
    expect(states()).toEqual([
      ['a', 'failed'],
      ['b', 'sending'],
    ]);
    expect(outbox.get('a')!.error).toEqual({ code: 403, reason: 'blocked', message: 'no' });
    outbox.retry('a');
    expect(outbox.get('a')!.state).toBe('queued');
    outbox.discard('a');
    expect(outbox.get('a')).toBeUndefined();
    outbox.discard('b');
    expect(states()).toEqual([['b', 'sending']]);
  });

  it('after a reload: in the order typed, what was being sent again', () => {
    outbox.restore([entry('late', 'bob', { order: 9e9 }), entry('early', 'bob', { state: 'sending', attempted_at: 5 })]);
    outbox.pump();
    expect(fake.texts()).toEqual(['early']);
    expect(outbox.get('early')!.attempted_at).toBe(5);
  });

  it('what was tried longer ago than the server remembers is not repeated by itself', async () => {
    fake.time = 10 * DAY;
    outbox.restore([entry('old', 'bob', { attempted_at: DAY }), entry('new', 'bob', { created_at: DAY })]);
    outbox.pump();
    await settle();
    expect(outbox.get('old')).toMatchObject({ state: 'failed', error: { reason: 'expired' } });
    outbox.pump();
    expect(fake.texts()).toEqual(['new']);
  });
});
