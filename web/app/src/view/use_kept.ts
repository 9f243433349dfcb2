// What was typed in a form that was closed: it is there when the form is opened
// again, as long as page and login last.

import { useState } from 'preact/hooks';
import { chat } from '../model/chat.ts';

const kept = new Map<string, unknown>();
let { user } = chat.state;

chat.on('state', (next) => {
  if (next.user !== user) kept.clear();
  user = next.user;
});

/** As useState, by a name; what was sent is to be set back by whoever sent it. */
export function useKept<T>(name: string, first: T): [T, (value: T) => void] {
  const [value, setValue] = useState((kept.get(name) as T | undefined) ?? first);
  const keep = (next: T) => {
    kept.set(name, next);
    setValue(next);
  };
  return [value, keep];
}
