// Where one is, in the address behind #: it survives a reload, and the back
// button of a phone does what it should.

import { signal } from '@preact/signals';

export type Section = 'chats' | 'contacts' | 'settings';

export interface Route {
  section: Section;
  /** the open conversation */
  channel?: string;
  /** a message to jump to in it */
  message?: number;
  /** an invite to join a group by */
  invite?: string;
  /** somebody to whom nothing was written yet */
  to?: string;
}

function read(): Route {
  const [section, channel, message] = location.hash.replace(/^#\/?/, '').split('/').map(decode);
  if (section === 'contacts' || section === 'settings') return { section };
  if (section === 'join' && channel) return { section: 'chats', invite: channel };
  if (section === 'u' && channel) return { section: 'chats', to: channel };
  if (section !== 'c' || !channel) return { section: 'chats' };
  const id = Number(message);
  return Number.isSafeInteger(id) && id > 0 ? { section: 'chats', channel, message: id } : { section: 'chats', channel };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

export const route = signal<Route>(read());
addEventListener('hashchange', () => (route.value = read()));

function address(to: Route): string {
  if (to.invite) return `#/join/${encodeURIComponent(to.invite)}`;
  if (to.to) return `#/u/${encodeURIComponent(to.to)}`;
  if (!to.channel) return `#/${to.section}`;
  return `#/c/${encodeURIComponent(to.channel)}${to.message ? `/${to.message}` : ''}`;
}

/** Goes there; `replace` leaves no step for the back button. */
export function go(to: Route, replace = false): void {
  const hash = address(to);
  if (hash === location.hash) {
    route.value = to;
    return;
  }
  if (replace) history.replaceState(history.state, '', hash);
  else history.pushState({ from: location.hash }, '', hash);
  route.value = to;
}

/** Up to the list: a step back for who came from there, so that the phone's button does not lead down again. */
export function backToList(): void {
  const from: unknown = history.state?.from;
  if (from === '' || from === '#/chats') history.back();
  else go({ section: 'chats' }, true);
}

addEventListener('popstate', () => (route.value = read()));

export const openChannel = (channel: string, message?: number) =>
  go(message ? { section: 'chats', channel, message } : { section: 'chats', channel });

let conversation: Route = { section: 'chats' };
route.subscribe(({ section, channel, to }) => {
  if (section === 'chats') conversation = { section, ...(channel && { channel }), ...(to && { to }) };
});

/** To a section; where list and conversation stand side by side, with the conversation one had there. */
export function openSection(section: Section): void {
  if (section === 'chats' && matchMedia('(min-width: 761px)').matches) go(conversation);
  else go({ section });
}
