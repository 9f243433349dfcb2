// The message that another one answers; pressing it goes there.

import type { Message } from '@chat/sdk';
import { useEffect } from 'preact/hooks';
import { jumpTo, loadedMessage } from '../model/conversation.ts';
import { fetchQuoted, quoted } from '../model/quotes.ts';
import { nameOrYou } from '../model/names.ts';

export function Quote({ channel, id }: { channel: string; id: number }) {
  const message = loadedMessage(id) ?? quoted(channel, id);
  useEffect(() => {
    if (!message) void fetchQuoted(channel, id);
  }, [channel, id, !message]);
  return (
    <button type="button" class="quote" onClick={() => jumpTo(id)}>
      <span class="hidden-text">Answer to</span>
      <QuoteText message={message} />
    </button>
  );
}

export function QuoteText({ message }: { message: Message | undefined }) {
  if (!message) return <span class="one-line soft">…</span>;
  return (
    <>
      <span class="quote-name one-line">
        <bdi>{nameOrYou(message.sender)}</bdi>
      </span>
      <span class="one-line" dir="auto">
        {message.deleted_at ? 'Deleted message' : message.text?.slice(0, 200)}
      </span>
    </>
  );
}
