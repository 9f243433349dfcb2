// Log-out, export and end of an account.

import { ChatError } from '@chat/sdk';
import { chat, me } from './chat.ts';
import { keepSiteToken, siteToken } from './site_token.ts';
import { go } from './route.ts';

export async function logout(): Promise<void> {
  go({ section: 'chats' }, true);
  await chat.logout();
  if (siteToken()) {
    keepSiteToken(null);
    location.reload();
  }
}

async function check(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new ChatError(answer.status, problem.reason ?? `http_${answer.status}`, problem.title ?? problem.detail, {
    retry_after: Number(answer.headers.get('Retry-After')) || undefined,
  });
}

/** Everything the server has of one, as a file. */
export async function exportAccount(): Promise<void> {
  const answer = await check(await chat.request('GET', 'account/export'));
  const file = await answer.blob();
  // its last line says that it is whole
  if (!(await file.slice(-100).text()).includes('"end"')) throw new Error('The export was cut off. Try again.');
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = `chat-${me()}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export async function deleteAccount(password: string, erase: boolean): Promise<void> {
  await check(await chat.request('DELETE', 'account', { password, erase }));
  // the token is worthless now; what is kept here goes
  await logout().catch(() => {});
}
