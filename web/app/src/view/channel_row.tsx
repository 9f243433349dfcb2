// One conversation of the list.

import type { ChannelState, Message, OutboxEntry } from '@chat/sdk';
import { isMuted } from '../model/actions.ts';
import { channelOf, me, outbox, presenceOf, typingIn } from '../model/chat.ts';
import { draftOf, draftsElsewhere } from '../model/drafts.ts';
import { avatarId, channelName, nameOf } from '../model/names.ts';
import { minute, today } from '../model/now.ts';
import { openChannel } from '../model/route.ts';
import { fullTime, listTime, serverNow } from '../text/time.ts';
import { Avatar } from './avatar.tsx';
import { Icon } from './icon.tsx';
import { focusField } from './shortcuts.ts';
import { MarkIcon } from './mark_icon.tsx';

export function ChannelRow({ channel: id, current }: { channel: string; current: boolean }) {
  const channel = channelOf(id);
  if (!channel) return null;
  void today.value;
  if (channel.muted_until) void minute.value;
  const name = channelName(channel);
  const muted = isMuted(channel, serverNow());
  const time = channel.last_message?.sent_at;
  const online = channel.peer !== undefined && channel.peer !== me() && presenceOf(channel.peer)?.online;
  return (
    <li>
      <button
        type="button"
        class={current ? 'channel-row current' : 'channel-row'}
        aria-current={current ? 'page' : undefined}
        data-channel={id}
        onClick={() => {
          openChannel(id);
          // another one takes the focus when it opens
          if (current) focusField();
        }}
      >
        <Avatar id={avatarId(channel)} name={name} online={online} />
        <span class="channel-row-text">
          <span class="channel-row-line">
            <span class="channel-name one-line grow">
              <bdi>{name}</bdi>
            </span>
            {online && <span class="hidden-text">online</span>}
            {channel.hidden && (
              <span class="soft small-icon" role="img" aria-label="Hidden" title="Hidden">
                <Icon name="hide" />
              </span>
            )}
            {muted && (
              <span class="soft small-icon" role="img" aria-label="Muted">
                <Icon name="mute" />
              </span>
            )}
            {time && (
              <time class="soft channel-time" dateTime={new Date(time).toISOString()} title={fullTime(time)}>
                {listTime(time)}
              </time>
            )}
          </span>
          <span class="channel-row-line">
            <Preview channel={channel} current={current} />
            {channel.unread > 0 && (
              <span class={muted ? 'badge quiet' : 'badge'} aria-label={`${channel.unread} unread`}>
                {channel.unread > 999 ? '999+' : channel.unread}
              </span>
            )}
          </span>
        </span>
      </button>
    </li>
  );
}

function Preview({ channel, current }: { channel: ChannelState; current: boolean }) {
  const typing = typingIn(channel.channel);
  if (typing.length) return <span class="one-line grow typing">{typing.length === 1 && channel.kind === 'direct' ? 'typing…' : `${nameOf(typing[0]!)} is typing…`}</span>;
  const waiting = outbox.value.findLast((e) => e.channel === channel.channel);
  if (waiting) return <Line waiting={waiting} text={waiting.text} who="" />;
  void draftsElsewhere.value;
  const draft = current ? '' : draftOf(channel.channel);
  if (draft) return <Line text={draft} who="Draft" draft />;
  const last = channel.last_message;
  if (!last) return <span class="one-line grow soft">{channel.kind === 'group' ? 'New group' : 'No messages yet'}</span>;
  return <Line text={textOf(last)} who={whoOf(channel, last)} {...(last.sender === me() && !last.deleted_at ? { message: last } : {})} />;
}

interface LineProps {
  text: string;
  who: string;
  /** not at the server yet */
  waiting?: OutboxEntry;
  draft?: boolean;
  message?: Message;
}

function Line({ text, who, waiting, draft, message }: LineProps) {
  const failed = waiting?.state === 'failed';
  return (
    <>
      {message && <MarkIcon message={message} />}
      {waiting && (
        <span class={failed ? 'draft small-icon' : 'soft small-icon'} role="img" aria-label={failed ? 'Not sent' : 'Waiting to be sent'}>
          <Icon name={failed ? 'alert' : 'clock'} />
        </span>
      )}
      <span class="one-line grow soft preview">
        {who && (
          <span class={draft ? 'draft' : ''}>
            <bdi>{who}</bdi>:{' '}
          </span>
        )}
        <bdi>{text.slice(0, 160)}</bdi>
      </span>
    </>
  );
}

function textOf(message: Message): string {
  return message.deleted_at ? 'Deleted message' : (message.text ?? '');
}

function whoOf(channel: ChannelState, message: Message): string {
  if (message.sender === me() || channel.kind === 'direct') return '';
  return nameOf(message.sender);
}
