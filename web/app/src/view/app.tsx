import { useEffect } from 'preact/hooks';
import { ready, state } from '../model/chat.ts';
import { modals } from '../model/ui.ts';
import { Entrance } from './entrance.tsx';
import { LiveRegion, Notes } from './notes.tsx';
import { Shell } from './shell.tsx';

export function App() {
  const { status, user } = state.value;
  const out = ready.value && (status === 'signed_out' || !user);
  useEffect(() => {
    // the first drawing that means something: tests and measurements look for it
    if (ready.value) document.documentElement.dataset['ready'] = out ? 'entrance' : 'chat';
  });
  return (
    <>
      {out ? <Entrance /> : user ? <Shell /> : null}
      {modals.value === 0 && <Notes />}
      <LiveRegion />
    </>
  );
}
