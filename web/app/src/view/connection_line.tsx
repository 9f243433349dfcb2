// Says when there is no connection, after a moment: a short break is nobody's business.

import { useEffect, useState } from 'preact/hooks';
import { outbox, state } from '../model/chat.ts';
import { Icon } from './icon.tsx';

const PATIENCE_MS = 1500;

export function ConnectionLine() {
  const { status, synced, retry_at: retryAt, storage } = state.value;
  const waiting = outbox.value.filter((e) => e.state !== 'failed').length;
  const offline = status === 'waiting' || status === 'connecting';
  const late = useLater(offline || !synced);
  if (!(offline || !synced) || !late) return storage === 'memory' ? <MemoryLine /> : null;
  return (
    <div class="connection-line" role="status">
      <span class="pulse" aria-hidden="true" />
      {wordsFor(status, retryAt)}
      {waiting > 0 && <span class="soft">{waiting === 1 ? '1 message waits' : `${waiting} messages wait`}</span>}
    </div>
  );
}

function wordsFor(status: string, retryAt: number | null): string {
  if (status === 'online') return 'Catching up…';
  if (!navigator.onLine) return 'Offline. You can read and write; it is sent later.';
  if (status === 'connecting' || !retryAt) return 'Connecting…';
  return 'No connection. Trying again by itself.';
}

function MemoryLine() {
  const [shown, setShown] = useState(true);
  if (!shown) return null;
  return (
    <div class="connection-line" role="status">
      This browser keeps nothing: what is not sent is lost when you close the page.
      <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => setShown(false)}>
        <Icon name="close" />
      </button>
    </div>
  );
}

function useLater(wanted: boolean): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!wanted) return setLate(false);
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  return late;
}
