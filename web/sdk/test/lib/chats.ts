// Chats for tests: tokens signed here, short waits, ended after each test.
import { afterEach } from 'vitest';
import WebSocket from 'ws';
import { Chat, type ChatEvents, type ChatOptions, type Message } from '../../src/index.ts';
import { type Server, token, until } from './server.ts';

const open: Chat[] = [];

afterEach(() => Promise.all(open.splice(0).map((chat) => chat.stop())).then(() => {}));

/** What is waited for is quick; what would be given up has time, since a machine may stand still. */
export const quick = {
  backoff_min: 20,
  backoff_max: 200,
  stable_after: 50,
  connect: 30_000,
  leader: 60_000,
  upgrade: 300,
  flush: 5,
  ack: 20,
  read: 10,
};

export function chatOf(server: Server, user: string, options: ChatOptions = {}): Chat {
  const chat = new Chat({
    url: server.url,
    token: () => token(user),
    WebSocket: WebSocket as any,
    storage: 'memory',
    tabs: false,
    ...options,
    timing: { ...quick, ...options.timing },
  });
  open.push(chat);
  return chat;
}

export async function online(server: Server, user: string, options?: ChatOptions): Promise<Chat> {
  const chat = chatOf(server, user, options);
  await chat.start();
  await until(() => chat.state.synced, `${user} to be in sync: ` + JSON.stringify(chat.state));
  return chat;
}

/** Everything an event tells from now on. */
export function heard<E extends keyof ChatEvents>(chat: Chat, event: E): ChatEvents[E][] {
  const list: ChatEvents[E][] = [];
  chat.on(event, (params) => list.push(params));
  return list;
}

export const texts = (messages: readonly Message[]): (string | undefined)[] => messages.map((m) => m.text);
