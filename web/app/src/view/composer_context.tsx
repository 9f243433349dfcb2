// What the next message answers, or which one is being edited.

import { cancel, editing, loadedMessage, replyTo } from '../model/conversation.ts';
import { Icon } from './icon.tsx';
import { QuoteText } from './quote.tsx';

export function ComposerContext() {
  const edited = editing.value;
  const answered = replyTo.value;
  const message = edited ?? answered;
  if (!message) return null;
  // an answered message may be edited or deleted meanwhile
  const now = edited ? edited : (loadedMessage(message.message_id) ?? message);
  return (
    <div class="composer-context">
      <Icon name={edited ? 'edit' : 'reply'} />
      <div class="quote-static grow">
        {edited ? <span class="quote-name">Editing your message</span> : <QuoteText message={now} />}
      </div>
      <button
        type="button"
        class="icon-button"
        aria-label={edited ? 'Cancel editing' : 'Cancel reply'}
        onClick={() => {
          cancel();
          document.querySelector<HTMLElement>('.composer-field')?.focus();
        }}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
