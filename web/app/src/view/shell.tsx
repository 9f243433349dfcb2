// The page of somebody who is logged in: sections, list, conversation.  On a
// phone one of list and conversation is there at a time.

import { route } from '../model/route.ts';
import { ChannelList } from './channel_list.tsx';
import { ConnectionLine } from './connection_line.tsx';
import { Contacts } from './contacts.tsx';
import { Conversation } from './conversation.tsx';
import { Dialogs } from './dialogs.tsx';
import { Icon } from './icon.tsx';
import { Nav } from './nav.tsx';
import { JoinDialog, SettingsView } from './lazy_views.tsx';
import { useShortcuts } from './shortcuts.ts';

export function Shell() {
  useShortcuts();
  const where = route.value;
  const inside = !!(where.channel || where.to);
  return (
    <div class={`shell section-${where.section} ${inside ? 'inside' : 'outside'}`}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the conversation
      </a>
      <ConnectionLine />
      <Nav section={where.section} />
      {where.section === 'chats' && <ChannelList current={where.channel} />}
      <main id="main" class="main" tabIndex={-1}>
        {where.section === 'contacts' && <Contacts />}
        {where.section === 'settings' && <SettingsView />}
        {where.section === 'chats' && (inside ? <Conversation route={where} /> : <NothingOpen />)}
      </main>
      {where.invite && <JoinDialog key={where.invite} invite={where.invite} />}
      <Dialogs />
    </div>
  );
}

function NothingOpen() {
  return (
    <section class="conversation empty">
      <span class="empty-icon">
        <Icon name="chats" />
      </span>
      <p class="soft">Choose a conversation, or press ? for the shortcuts.</p>
    </section>
  );
}

function skip(e: Event): void {
  e.preventDefault();
  (document.querySelector<HTMLElement>('.composer-field') ?? document.getElementById('main'))?.focus();
}
