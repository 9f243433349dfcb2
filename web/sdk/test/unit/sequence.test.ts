import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatError } from '../../src/errors.ts';
import { Sequence } from '../../src/sequence.ts';

const event = (inbox_id: number) => ({ method: 'message.new', params: { inbox_id } });

describe('the sequence', () => {
  let told: number[];
  let synced: boolean[];
  let pages: Map<number, unknown>;
  const broken = vi.fn();
  const reset = vi.fn();
  let sequence: Sequence;

  beforeEach(() => {
    told = [];
    synced = [];
    pages = new Map();
    broken.mockClear();
    reset.mockClear();
    sequence = new Sequence({
      sync: async (after) => {
        const page = pages.get(after);
        if (page instanceof Error) throw page;
        return page as any;
      },
      deliver: (_method, params) => void told.push(params.inbox_id),
      synced: (now) => void synced.push(now),
      reset,
      broken,
    });
  });

  const accept = (...ids: number[]) => ids.forEach((id) => sequence.accept('message.new', { inbox_id: id }));
  const settle = () => new Promise((go) => setTimeout(go));

  it('tells each once, in order, and skips what was told', () => {
    sequence.ready(0);
    accept(1, 2, 2, 1, 3);
    expect(told).toEqual([1, 2, 3]);
  });

  it('is in sync when the newest of the greeting was told', () => {
    sequence.cursor = 3;
    sequence.ready(5);
    expect(synced).toEqual([]);
    accept(4);
    expect(synced).toEqual([]);
    accept(5);
    expect(synced).toEqual([true]);
  });

  it('heals a gap page by page, and then tells what came meanwhile', async () => {
    sequence.ready(2);
    pages.set(2, { events: [event(3), event(4)], more: true, inbox_id: 6 });
    pages.set(4, { events: [event(5), event(6)], more: false, inbox_id: 6 });
    accept(6, 7);
    expect(told).toEqual([]);
    await settle();
    expect(told).toEqual([3, 4, 5, 6, 7]);
    expect(synced).toEqual([true, false, true]);
  });

  it('a live-only event passes a gap', async () => {
    sequence.ready(0);
    pages.set(0, new Promise(() => {}));
    accept(5);
    sequence.accept('typing', { channel: 'c', user: 'bob' });
    expect(told).toEqual([undefined]);
  });

  it('a gap that does not heal ends the connection, and nothing is told out of order', async () => {
    sequence.ready(0);
    pages.set(0, new ChatError(0, 'offline'));
    accept(2);
    await settle();
    expect(broken).toHaveBeenCalledOnce();
    expect(told).toEqual([]);
    expect(sequence.cursor).toBe(0);
  });

  it('starts over when the server knows less than the cursor', () => {
    sequence.cursor = 10;
    sequence.ready(4);
    expect(reset).toHaveBeenCalledOnce();
    expect(sequence.cursor).toBe(4);
    accept(5);
    expect(told).toEqual([5]);
  });

  it('starts over when inbox.sync says so', async () => {
    sequence.ready(3);
    pages.set(3, new ChatError(409, 'cursor_ahead'));
    accept(9);
    await settle();
    expect(reset).toHaveBeenCalledOnce();
    expect(sequence.cursor).toBeNull();
  });
});
