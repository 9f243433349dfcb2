// user.search while one types: the last query counts, and not every key asks.

import { useEffect, useState } from 'preact/hooks';
import { chat } from '../model/chat.ts';
import { wordsFor } from '../model/errors.ts';

// a network that is not there need not be waited for
const PATIENCE_MS = 5_000;

export interface Found {
  users: string[];
  busy: boolean;
  problem: string;
}

export function useUserSearch(query: string): Found {
  const [found, setFound] = useState<Found>({ users: [], busy: false, problem: '' });
  useEffect(() => {
    if (!query) return setFound({ users: [], busy: false, problem: '' });
    setFound((f) => ({ ...f, busy: true }));
    const control = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const { users } = await chat.call('user.search', { query, limit: 20 }, { signal: control.signal, timeout: PATIENCE_MS });
        if (!control.signal.aborted) setFound({ users: users.map((u) => u.user), busy: false, problem: '' });
      } catch (error) {
        if (!control.signal.aborted) setFound({ users: [], busy: false, problem: wordsFor(error) });
      }
    }, 180);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [query]);
  return found;
}
