// Settings: profile, look, notifications, devices, account.

import { me, profileOf } from '../model/chat.ts';
import { change, settings, type Theme } from '../model/settings.ts';
import { askForNotifications } from '../model/notify.ts';
import { openDialog } from '../model/ui.ts';
import { AccountCard } from './account_card.tsx';
import { Devices } from './devices.tsx';
import { Icon } from './icon.tsx';
import { ProfileForm } from './profile_form.tsx';

const THEMES: { theme: Theme; label: string }[] = [
  { theme: 'system', label: 'System' },
  { theme: 'light', label: 'Light' },
  { theme: 'dark', label: 'Dark' },
];

export function Settings() {
  const { theme, notifications, badge, sound, enterSends, shortcuts } = settings.value;
  return (
    <div class="page">
      <header class="page-head">
        <h1>Settings</h1>
      </header>
      <Card title="Profile">
        <ProfileForm profile={profileOf(me())} />
      </Card>
      <Card title="Look">
        <div class="segments" role="radiogroup" aria-label="Colours">
          {THEMES.map((t) => (
            <label key={t.theme} class={t.theme === theme ? 'segment current' : 'segment'}>
              <input type="radio" name="theme" value={t.theme} checked={t.theme === theme} onChange={() => change({ theme: t.theme })} />
              {t.label}
            </label>
          ))}
        </div>
      </Card>
      <Card title="Notifications">
        <Switch label="On the desktop" checked={notifications} onChange={(on) => void askForNotifications(on)} />
        <Switch label="Count in the title" checked={badge} onChange={(on) => change({ badge: on })} />
        <Switch label="Sound" checked={sound} onChange={(on) => change({ sound: on })} />
      </Card>
      <Card title="Writing">
        <Switch label="Enter sends (else Ctrl Enter)" checked={enterSends} onChange={(on) => change({ enterSends: on })} />
        <Switch label="Shortcuts of one letter" checked={shortcuts} onChange={(on) => change({ shortcuts: on })} />
        <button type="button" class="row-button" onClick={() => openDialog({ kind: 'shortcuts' })}>
          <Icon name="keyboard" /> Shortcuts
        </button>
      </Card>
      <Devices />
      <AccountCard />
    </div>
  );
}

function Card({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <section aria-label={title}>
      <h2 class="section-title">{title}</h2>
      <div class="card padded">{children}</div>
    </section>
  );
}

function Switch({ label, checked, onChange }: { label: string; checked: boolean; onChange: (on: boolean) => void }) {
  return (
    <label class="switch-row">
      <span class="grow">{label}</span>
      <input type="checkbox" role="switch" class="switch" checked={checked} onChange={(e) => onChange(e.currentTarget.checked)} />
    </label>
  );
}
