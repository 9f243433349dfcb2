// Who is typing; it keeps its place when nobody is, so that nothing jumps.

import { typingIn } from '../model/chat.ts';
import { nameOf } from '../model/names.ts';

export function typingWords(users: readonly string[]): string {
  const names = users.slice(0, 2).map(nameOf);
  if (users.length === 0) return '';
  if (users.length === 1) return `${names[0]} is typing`;
  if (users.length === 2) return `${names[0]} and ${names[1]} are typing`;
  return `${names[0]}, ${names[1]} and others are typing`;
}

export function TypingLine({ channel }: { channel: string }) {
  const users = typingIn(channel);
  return (
    <div class="typing-line soft">
      {users.length > 0 && (
        <>
          <span class="dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <bdi>{typingWords(users)}</bdi>
        </>
      )}
    </div>
  );
}
