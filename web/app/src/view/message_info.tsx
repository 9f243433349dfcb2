// When a message was sent and how far it got with each member.

import { useEffect } from 'preact/hooks';
import { channelOf, chat } from '../model/chat.ts';
import { loadedMessage } from '../model/conversation.ts';
import { nameOf, nameOrYou } from '../model/names.ts';
import { fullTime } from '../text/time.ts';
import { UserAvatar } from './avatar.tsx';
import { Dialog } from './dialog.tsx';
import { MarkSign } from './mark_icon.tsx';

interface MessageInfoProps {
  channel: string;
  id: number;
  onClose: () => void;
}

export function MessageInfo({ channel: channelId, id, onClose }: MessageInfoProps) {
  const channel = channelOf(channelId);
  const loaded = loadedMessage(id);
  // another conversation may have been opened behind it, with messages of the same numbers
  const message = loaded?.channel === channelId ? loaded : undefined;
  useEffect(() => {
    chat.members(channelId).catch(() => {});
  }, [channelId]);
  useEffect(() => {
    if (!message) onClose();
  }, [!message]);
  if (!message || !channel) return null;
  return (
    <Dialog title="Details" onClose={onClose}>
      <dl class="facts">
        <dt>From</dt>
        <dd>
          <bdi>{nameOrYou(message.sender)}</bdi>
        </dd>
        <dt>Sent</dt>
        <dd>{fullTime(message.sent_at)}</dd>
        {message.edited_at && (
          <>
            <dt>Edited</dt>
            <dd>{fullTime(message.edited_at)}</dd>
          </>
        )}
      </dl>
      <h3 class="section-title">Members</h3>
      <ul>
        {channel.members
          .filter((m) => m.user !== message.sender)
          .map((m) => (
            <li key={m.user} class="member">
              <UserAvatar user={m.user} size="small" />
              <span class="grow one-line">
                <bdi>{nameOf(m.user)}</bdi>
              </span>
              <MarkSign mark={(m.read ?? 0) >= id ? 'read' : (m.delivered ?? 0) >= id ? 'delivered' : 'sent'} />
            </li>
          ))}
      </ul>
    </Dialog>
  );
}
