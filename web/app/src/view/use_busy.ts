// A button whose work is not done yet is not pressed again.

import { useRef, useState } from 'preact/hooks';

/** Whether it is at work, and how to begin; a second press begins nothing. */
export function useBusy(): [boolean, (work: () => Promise<unknown>) => Promise<void>] {
  const [busy, setBusy] = useState(false);
  // counts before the next drawing, too
  const running = useRef(false);
  const run = async (work: () => Promise<unknown>) => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    try {
      await work();
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return [busy, run];
}
