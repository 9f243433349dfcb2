// Initials on a colour of their own, with a dot for who is online.

import { hueOf, initialsOf } from '../text/avatar.ts';
import { presenceOf } from '../model/chat.ts';
import { nameOf } from '../model/names.ts';

interface AvatarProps {
  id: string;
  name: string;
  size?: 'small' | 'large';
  online?: boolean | undefined;
}

export function Avatar({ id, name, size, online }: AvatarProps) {
  return (
    <span class={`avatar hue-${hueOf(id)} ${size ?? ''}`} data-letters={initialsOf(name)} aria-hidden="true">
      {online && <span class="presence-dot" />}
    </span>
  );
}

export function UserAvatar({ user, size, dot = true }: { user: string; size?: 'small' | 'large'; dot?: boolean }) {
  const online = dot && presenceOf(user)?.online;
  return <Avatar id={user} name={nameOf(user)} {...(size ? { size } : {})} online={online} />;
}
