// What one can do with the message under the pointer or the focus.

import type { Message } from '@chat/sdk';
import { useState } from 'preact/hooks';
import { canDelete, canEdit, copyText, react } from '../model/actions.ts';
import { channelOf } from '../model/chat.ts';
import { active, startEdit, startReply } from '../model/conversation.ts';
import { openDialog } from '../model/ui.ts';
import { QUICK } from '../text/quick_emoji.ts';
import { EmojiButton } from './emoji_button.tsx';
import { Icon } from './icon.tsx';
import { Menu, type MenuItem } from './menu.tsx';

export function MessageActions({ message }: { message: Message }) {
  if (active.value !== message.message_id || message.deleted_at) return <span class="actions-gap" />;
  return <Buttons message={message} />;
}

function Buttons({ message }: { message: Message }) {
  const [picking, setPicking] = useState(false);
  return (
    <div class={picking ? 'actions open' : 'actions'}>
      <EmojiButton label="React" quick={QUICK} onOpen={setPicking} onPick={(emoji) => react(message, emoji)} />
      <button type="button" class="icon-button" aria-label="Reply" title="Reply" onClick={() => startReply(message)}>
        <Icon name="reply" />
      </button>
      <Menu label="More for this message" items={itemsOf(message)} />
    </div>
  );
}

function itemsOf(message: Message): MenuItem[] {
  const { channel, message_id: id } = message;
  const items: MenuItem[] = [
    { label: 'Copy text', icon: 'copy', onSelect: () => void copyText(message.text ?? '') },
    { label: 'Details', icon: 'info', onSelect: () => openDialog({ kind: 'message-info', channel, message: id }) },
  ];
  if (canEdit(message)) items.unshift({ label: 'Edit', icon: 'edit', onSelect: () => startEdit(message) });
  if (canDelete(message, channelOf(channel))) {
    items.push({
      label: 'Delete',
      icon: 'trash',
      danger: true,
      onSelect: () => openDialog({ kind: 'delete-message', channel, message: id }),
    });
  }
  return items;
}
