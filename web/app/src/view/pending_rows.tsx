// What was written here and is not at the server yet.

import type { Message, OutboxEntry } from '@chat/sdk';
import { chat, me, state } from '../model/chat.ts';
import { wordsFor } from '../model/errors.ts';
import { ChatError } from '@chat/sdk';
import { clock } from '../text/time.ts';
import { Icon } from './icon.tsx';
import { together } from './message_row.tsx';
import { Quote } from './quote.tsx';
import { TextBody } from './text_body.tsx';

interface PendingProps {
  entries: readonly OutboxEntry[];
  channel: string | null;
  /** the message above them */
  last: Message | undefined;
}

export function PendingRows({ entries, channel, last }: PendingProps) {
  if (entries.length === 0) return null;
  // spaced as they will be when they are sent, so that nothing jumps then
  const sent = entries.map((entry) => ({ sender: me(), sent_at: entry.created_at }));
  return (
    <ul class="pending" aria-label="On their way">
      {entries.map((entry, i) => (
        <PendingRow key={entry.client_id} entry={entry} channel={channel}
          starts={!together(i ? sent[i - 1] : last, sent[i])} ends={!together(sent[i], sent[i + 1])} />
      ))}
    </ul>
  );
}

interface RowProps {
  entry: OutboxEntry;
  channel: string | null;
  starts: boolean;
  ends: boolean;
}

function PendingRow({ entry, channel, starts, ends }: RowProps) {
  const failed = entry.state === 'failed';
  return (
    <li class={`message mine ${starts ? 'starts' : ''} ${ends ? 'ends' : ''} pending-${entry.state}`} data-client-id={entry.client_id}>
      <div class="message-line">
        <div class="bubble-column">
          <div class="bubble">
            {channel && entry.reply_to !== undefined && <Quote channel={channel} id={entry.reply_to} />}
            <div class="body" dir="auto">
              <TextBody text={entry.text} mentions={entry.mentions} />
              <span class="meta" dir="ltr">
                {clock(entry.created_at)}
                <span class="mark" role="img" aria-label={failed ? 'Not sent' : 'Waiting to be sent'}>
                  <Icon name={failed ? 'alert' : 'clock'} />
                </span>
              </span>
            </div>
          </div>
          {failed && <Failed entry={entry} />}
        </div>
        {/* one that was tried may be there already */}
        {entry.state === 'queued' && !entry.attempted_at && state.value.status !== 'online' && (
          <button type="button" class="icon-button discard" aria-label="Do not send" title="Do not send" onClick={() => chat.discard(entry.client_id)}>
            <Icon name="close" />
          </button>
        )}
      </div>
    </li>
  );
}

function Failed({ entry }: { entry: OutboxEntry }) {
  const { code, reason, message } = entry.error ?? { code: 0, reason: '', message: '' };
  return (
    <div class="failed">
      <span>Not sent. {wordsFor(new ChatError(code, reason, message))}</span>
      <button type="button" class="text-button" onClick={() => chat.retry(entry.client_id)}>
        Try again
      </button>
      <button type="button" class="text-button danger" onClick={() => chat.discard(entry.client_id)}>
        Discard
      </button>
    </div>
  );
}
