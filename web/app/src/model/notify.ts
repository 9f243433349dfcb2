// What tells of a new message when one looks elsewhere: a desktop
// notification, a number in the title, a sound.  A muted conversation is silent.

import type { Message } from '@chat/sdk';
import { effect } from '@preact/signals';
import { isMuted } from './actions.ts';
import { channelList, chat, me, state } from './chat.ts';
import { channelName, nameOf } from './names.ts';
import { minute } from './now.ts';
import { openChannel, route } from './route.ts';
import { change, settings } from './settings.ts';
import { playSound } from './sound.ts';
import { announce, tell } from './ui.ts';
import { serverNow } from '../text/time.ts';

// what is older than this is history, however late it came
const FRESH_MS = 60_000;
// a tab that shows the conversation marks it as read in that time
const ELSEWHERE_MS = 300;

export async function askForNotifications(on: boolean): Promise<void> {
  if (!on) return change({ notifications: false });
  if (!('Notification' in window)) return tell('This browser has no notifications.', true);
  const answer = await Notification.requestPermission();
  change({ notifications: answer === 'granted' });
  if (answer !== 'granted') tell('The browser does not allow this page to notify you.', true);
}

export function startNotifying(): void {
  chat.on('message.new', ({ message }) => onMessage(message));
  chat.on('channel', ({ channel }) => {
    if (told.has(channel) && !chat.channel(channel)?.unread) void withdraw(channel);
  });
  let user: string | null = null;
  // the next one at this screen is not told what was written to whoever logged out
  chat.on('state', (next) => {
    if (user && next.user !== user) for (const channel of told) void withdraw(channel);
    user = next.user;
  });
  effect(() => {
    // a mute may be over
    void minute.value;
    const unread = channelList.value.reduce((sum, c) => sum + (isMuted(c, serverNow()) ? 0 : c.unread), 0);
    document.title = unread && settings.value.badge ? `(${unread}) Chat` : 'Chat';
    const badge = navigator as Navigator & { setAppBadge?: (n: number) => Promise<void> };
    badge.setAppBadge?.(settings.value.badge ? unread : 0).catch(() => {});
  });
  navigator.serviceWorker?.addEventListener('message', (e) => {
    if (typeof e.data?.open === 'string') openChannel(e.data.open);
  });
}

function onMessage(message: Message): void {
  if (message.sender === me() || serverNow() - message.sent_at > FRESH_MS) return;
  // of a channel that has just begun nothing is known yet: it is not muted
  const channel = chat.channel(message.channel);
  if (channel && isMuted(channel, serverNow())) return;
  const text = message.text?.slice(0, 200) ?? '';
  const who = nameOf(message.sender);
  const title = channel?.kind === 'group' ? `${who} in ${channelName(channel)}` : who;
  announce(`${title}: ${text}`);
  const seen = route.value.channel === message.channel && document.visibilityState === 'visible' && document.hasFocus();
  // of several tabs the one with the connection tells
  if (seen || !state.value.leader) return;
  const user = me();
  setTimeout(() => {
    if (me() !== user || (chat.channel(message.channel)?.read ?? 0) >= message.message_id) return;
    if (settings.value.sound) playSound();
    if (settings.value.notifications) void show(title, text, message.channel);
  }, ELSEWHERE_MS);
}

/** Conversations of which the desktop shows a notification. */
const told = new Set<string>();

/** What was read needs no notification any more. */
async function withdraw(channel: string): Promise<void> {
  told.delete(channel);
  const worker = await navigator.serviceWorker?.getRegistration();
  for (const notification of (await worker?.getNotifications({ tag: channel })) ?? []) notification.close();
}

async function show(title: string, body: string, channel: string): Promise<void> {
  if (!('Notification' in window) || Notification.permission !== 'granted') return;
  const options = { body, tag: channel, icon: '/icon-192.png', data: { channel } };
  try {
    const worker = await navigator.serviceWorker?.getRegistration();
    told.add(channel);
    if (worker) return await worker.showNotification(title, options);
    const notification = new Notification(title, options);
    notification.onclick = () => {
      window.focus();
      openChannel(channel);
    };
  } catch {
    // a browser that forbids it here; the title has the number
  }
}
