// Whom one talks to, and what can be done with the conversation.

import type { ChannelState } from '@chat/sdk';
import { useEffect } from 'preact/hooks';
import { hide, isMuted, mute } from '../model/actions.ts';
import { chat, me, presenceOf, profileOf } from '../model/chat.ts';
import { avatarId } from '../model/names.ts';
import { minute } from '../model/now.ts';
import { backToList } from '../model/route.ts';
import { openDialog, openUser } from '../model/ui.ts';
import { safeName } from '../text/safe_name.ts';
import { lastActive, serverNow } from '../text/time.ts';
import { Avatar } from './avatar.tsx';
import { Icon } from './icon.tsx';
import { Menu, type MenuItem } from './menu.tsx';

interface HeadProps {
  channel: ChannelState | undefined;
  peer: string | undefined;
  name: string;
  /** who may be seen is watched anew */
  mutual: boolean;
}

export function ConversationHead({ channel, peer, name, mutual }: HeadProps) {
  void minute.value;
  const watched = channel?.kind === 'group' ? channel.members.map((m) => m.user).join(' ') : (peer ?? '');
  useEffect(() => (watched ? chat.watch(watched.split(' ').slice(0, 100)) : undefined), [watched, mutual]);
  useEffect(() => {
    // the markers of the others; offline, what is cached has to do
    if (channel) chat.members(channel.channel).catch(() => {});
  }, [channel?.channel]);

  const details = () => (channel?.kind === 'group' ? openDialog({ kind: 'channel', channel: channel.channel }) : openUser(peer!));
  return (
    <header class="conversation-head">
      <button type="button" class="icon-button only-phone" aria-label="Back to the list" onClick={backToList}>
        <Icon name="back" />
      </button>
      <button type="button" class="head-button grow" onClick={details}>
        <span class="hidden-text">Details of</span>
        <Avatar id={channel ? avatarId(channel) : (peer ?? '')} name={name} online={peer ? presenceOf(peer)?.online : undefined} />
        <span class="head-text">
          <h1 class="one-line">
            <bdi>{name}</bdi>
          </h1>
          <span class="soft one-line">{channel?.kind === 'group' ? groupLine(channel) : peerLine(peer)}</span>
        </span>
      </button>
      {channel && isMuted(channel, serverNow()) && (
        <span class="soft" role="img" aria-label="Muted" title="Muted">
          <Icon name="mute" />
        </span>
      )}
      {channel && <Menu label="Conversation menu" items={itemsOf(channel, details)} />}
    </header>
  );
}

function groupLine(channel: ChannelState): string {
  const online = channel.members.filter((m) => m.user !== me() && presenceOf(m.user)?.online).length;
  const count = `${channel.members.length} ${channel.members.length === 1 ? 'member' : 'members'}`;
  return online ? `${count}, ${online} online` : count;
}

function peerLine(peer: string | undefined): string {
  if (!peer) return '';
  if (peer === me()) return 'Only you see this';
  const presence = presenceOf(peer);
  const status = safeName(profileOf(peer)?.status, '');
  const activity = !presence ? '' : presence.online ? 'online' : lastActive(presence.last_active_at);
  return [activity, status].filter(Boolean).join(' · ');
}

function itemsOf(channel: ChannelState, details: () => void): MenuItem[] {
  const id = channel.channel;
  const muted = isMuted(channel, serverNow());
  const items: MenuItem[] = [
    { label: 'Details', icon: 'info', onSelect: details },
    { label: 'Go to a date', icon: 'calendar', onSelect: () => openDialog({ kind: 'jump', channel: id }) },
  ];
  if (muted) items.push({ label: 'Unmute', icon: 'bell', onSelect: () => mute(id, 0) });
  else {
    items.push({ label: 'Mute for 8 hours', icon: 'mute', onSelect: () => mute(id, serverNow() + 8 * 3_600_000) });
    items.push({ label: 'Mute', icon: 'mute', onSelect: () => mute(id, null) });
  }
  items.push({ label: 'Hide', icon: 'hide', onSelect: () => hide(id) });
  return items;
}
