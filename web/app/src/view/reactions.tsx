// The reactions below a bubble; one's own are pressed.

import type { Message } from '@chat/sdk';
import { me } from '../model/chat.ts';
import { react } from '../model/actions.ts';
import { nameOrYou } from '../model/names.ts';

export function Reactions({ message }: { message: Message }) {
  const reactions = message.reactions;
  if (!reactions?.length || message.deleted_at) return null;
  return (
    <div class="reactions">
      {reactions.map(({ emoji, users }) => {
        const own = users.includes(me());
        const names = users.slice(0, 8).map(nameOrYou).join(', ');
        return (
          <button
            type="button"
            key={emoji}
            class={own ? 'reaction own' : 'reaction'}
            aria-pressed={own}
            aria-label={`${emoji} ${users.length}, ${names}`}
            title={names}
            onClick={() => react(message, emoji, own)}
          >
            <span>{emoji.slice(0, 16)}</span>
            {users.length > 1 && <span class="count">{users.length}</span>}
          </button>
        );
      })}
    </div>
  );
}
