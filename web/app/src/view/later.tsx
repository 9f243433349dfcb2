// What is not needed for the first sight: its file is fetched when it is opened.

import type { ComponentType } from 'preact';
import { lazy, Suspense } from 'preact/compat';
import { useEffect } from 'preact/hooks';
import { closeDialog, offer } from '../model/ui.ts';

export function later<P extends object>(load: () => Promise<ComponentType<P>>): (props: P) => preact.JSX.Element {
  const fetched = (): Promise<ComponentType<P>> => load().catch(() => Missing);
  const View = lazy(() => fetched().then((view) => ({ default: view }))) as ComponentType<P>;
  return (props) => (
    <Suspense fallback={null}>
      <View {...props} />
    </Suspense>
  );
}

/** No network before the file was kept, or a server that has a newer page and not this one's files. */
function Missing() {
  useEffect(() => {
    closeDialog();
    offer('This part of the page could not be loaded.', 'Reload', () => location.reload());
  }, []);
  return <p class="soft pad">This part of the page could not be loaded.</p>;
}
