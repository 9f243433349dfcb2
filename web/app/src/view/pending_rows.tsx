// What was written here and is not at the server yet.

import type { OutboxEntry } from '@chat/sdk';
import { chat } from '../model/chat.ts';
import { wordsFor } from '../model/errors.ts';
import { ChatError } from '@chat/sdk';
import { clock } from '../text/time.ts';
import { Icon } from './icon.tsx';
import { TextBody } from './text_body.tsx';

export function PendingRows({ entries }: { entries: readonly OutboxEntry[] }) {
  if (entries.length === 0) return null;
  return (
    <ul class="pending" aria-label="On their way">
      {entries.map((entry) => (
        <li key={entry.client_id} class={`message mine starts ends pending-${entry.state}`} data-client-id={entry.client_id}>
          <div class="message-line">
            <div class="bubble-column">
              <div class="bubble">
                <div class="body" dir="auto">
                  <TextBody text={entry.text} mentions={entry.mentions} />
                  <span class="meta" dir="ltr">
                    {clock(entry.created_at)}
                    <span class="mark" role="img" aria-label={entry.state === 'failed' ? 'Not sent' : 'Waiting to be sent'}>
                      <Icon name={entry.state === 'failed' ? 'alert' : 'clock'} />
                    </span>
                  </span>
                </div>
              </div>
              {entry.state === 'failed' && <Failed entry={entry} />}
            </div>
          </div>
        </li>
      ))}
    </ul>
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
