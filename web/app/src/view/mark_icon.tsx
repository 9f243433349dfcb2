// How far one's own message got: one tick sent, two delivered, two in colour read.

import type { Mark, Message } from '@chat/sdk';
import { channelOf, chat } from '../model/chat.ts';

const LABELS: Record<Mark, string> = { sent: 'Sent', delivered: 'Delivered', read: 'Read' };

export function MarkIcon({ message }: { message: Message }) {
  // receipts change the channel
  const channel = channelOf(message.channel);
  const alone = channel?.kind === 'direct' && channel.peer === message.sender;
  return <MarkSign mark={alone ? 'read' : chat.mark(message)} />;
}

export function MarkSign({ mark }: { mark: Mark }) {
  return (
    <span class={`mark ${mark}`} role="img" aria-label={LABELS[mark]} title={LABELS[mark]}>
      <svg viewBox="0 0 20 12" aria-hidden="true">
        {mark !== 'sent' && <path d="M7.5 8.8 9 10.2 17.5 1.8" />}
        <path d={mark === 'sent' ? 'M5 6.5 8.5 10 16 2.2' : 'M2 6.5 5.5 10 13 2.2'} />
      </svg>
    </span>
  );
}
