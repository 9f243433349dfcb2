// The sections of the app: a rail at the side, a bar at the bottom of a phone.

import { channelList, contacts, me } from '../model/chat.ts';
import { isMuted } from '../model/actions.ts';
import { nameOf } from '../model/names.ts';
import { minute } from '../model/now.ts';
import { openSection, type Section } from '../model/route.ts';
import { openUser } from '../model/ui.ts';
import { serverNow } from '../text/time.ts';
import { UserAvatar } from './avatar.tsx';
import { Icon, type IconName } from './icon.tsx';

const SECTIONS: { section: Section; label: string; icon: IconName }[] = [
  { section: 'chats', label: 'Chats', icon: 'chats' },
  { section: 'contacts', label: 'Contacts', icon: 'people' },
  { section: 'settings', label: 'Settings', icon: 'settings' },
];

export function Nav({ section }: { section: Section }) {
  void minute.value;
  const counts: Record<Section, number> = {
    chats: channelList.value.filter((c) => c.unread > 0 && !isMuted(c, serverNow())).length,
    contacts: contacts.value.filter((c) => c.state === 'incoming').length,
    settings: 0,
  };
  return (
    <nav class="nav" aria-label="Sections">
      <ul class="nav-list">
        {SECTIONS.map((s) => (
          <li key={s.section}>
            <button
              type="button"
              class={s.section === section ? 'nav-button current' : 'nav-button'}
              aria-current={s.section === section ? 'page' : undefined}
              onClick={() => openSection(s.section)}
            >
              <Icon name={s.icon} />
              <span>{s.label}</span>
              {counts[s.section] > 0 && (
                <span class="badge" aria-label={`${counts[s.section]} new`}>
                  {counts[s.section]}
                </span>
              )}
            </button>
          </li>
        ))}
      </ul>
      <button type="button" class="nav-me only-wide" aria-label={`Your profile, ${nameOf(me())}`} title={nameOf(me())} onClick={() => openUser(me())}>
        <UserAvatar user={me()} dot={false} />
      </button>
    </nav>
  );
}
