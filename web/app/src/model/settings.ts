// What somebody chose on this device.

import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

export interface Settings {
  theme: Theme;
  notifications: boolean;
  badge: boolean;
  sound: boolean;
  /** Enter sends; else Ctrl+Enter does */
  enterSends: boolean;
  /** a letter alone is a shortcut; who speaks to the machine may not want that */
  shortcuts: boolean;
}

const KEY = 'chat.settings';
const DEFAULTS: Settings = {
  theme: 'system',
  notifications: false,
  badge: true,
  sound: true,
  // a keyboard on glass has no other key for a new line, and the button is near
  enterSends: matchMedia('(any-pointer: fine)').matches,
  shortcuts: true,
};

function load(): Settings {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    const known = Object.fromEntries(
      Object.entries(stored as object).filter(([k, v]) => typeof v === typeof DEFAULTS[k as keyof Settings]),
    );
    return { ...DEFAULTS, ...known };
  } catch {
    return { ...DEFAULTS };
  }
}

export const settings = signal<Settings>(load());

export function change(part: Partial<Settings>): void {
  settings.value = { ...settings.value, ...part };
  try {
    localStorage.setItem(KEY, JSON.stringify(settings.value));
  } catch {
    // a browser without storage forgets it, no more
  }
}

window.addEventListener('storage', (e) => {
  if (e.key === KEY) settings.value = load();
});

// of the browser's own frame, the same as --bg
const FRAME = { light: '#f6f5f2', dark: '#14171a' };

effect(() => {
  const { theme } = settings.value;
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]'))
    meta.content = FRAME[theme !== 'system' ? theme : meta.media.includes('dark') ? 'dark' : 'light'];
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
});
