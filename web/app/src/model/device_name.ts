// Gives this device a name by which one knows it in the list of devices:
// "Firefox on Linux".  A name that was chosen elsewhere stays.

import { chat } from './chat.ts';

const BROWSERS: [RegExp, string][] = [
  [/Edg(e|A|iOS)?\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/Firefox\/|FxiOS\//, 'Firefox'],
  [/SamsungBrowser\//, 'Samsung Internet'],
  [/Chrome\/|CriOS\//, 'Chrome'],
  [/Safari\//, 'Safari'],
];

const SYSTEMS: [RegExp, string][] = [
  [/Android/, 'Android'],
  [/iPhone|iPod/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/Windows/, 'Windows'],
  [/Mac OS X|Macintosh/, 'Mac'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
];

export function deviceName(agent: string): string {
  const find = (list: [RegExp, string][]) => list.find(([pattern]) => pattern.test(agent))?.[1];
  const system = find(SYSTEMS);
  return `${find(BROWSERS) ?? 'Browser'}${system ? ` on ${system}` : ''}`;
}

let named = '';

async function name(device: string): Promise<void> {
  const { devices } = await chat.call('device.list', {});
  if (devices.find((d) => d.current)?.name !== null) return;
  await chat.call('device.update', { device, name: deviceName(navigator.userAgent) });
}

export function startNaming(): void {
  chat.on('state', ({ status, device, user, leader }) => {
    if (status !== 'online' || !leader || !device || named === `${user} ${device}`) return;
    named = `${user} ${device}`;
    // a server that gives no names shows the id
    name(device).catch(() => {});
  });
}
