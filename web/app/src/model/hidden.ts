// Hidden conversations.  The list leaves them out: what was hidden before this
// device was logged in is known to the server only.

import { ChatError } from '@chat/sdk';
import { chat } from './chat.ts';

/** Whose are known. */
let user: string | null = null;

// what is known goes with the login
chat.on('state', (next) => {
  if (next.user !== user) user = null;
});
chat.on('reset', () => (user = null));

/** Makes them known, once for each login and page. */
export async function findHidden(): Promise<void> {
  const asked = chat.state.user;
  if (user === asked) return;
  user = asked;
  try {
    let after: string | null = null;
    do {
      const page: { more: boolean; next: string | null } = await chat.call('channel.list', { hidden: true, limit: 200, ...(after && { after }) });
      after = page.more ? page.next : null;
    } while (after);
  } catch (error) {
    // a server that does not tell of them need not be asked again; without a network the next time is another try
    if (user === asked && (!(error instanceof ChatError) || error.temporary)) user = null;
  }
}
