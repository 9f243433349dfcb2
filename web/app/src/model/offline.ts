// The service worker, by which the page opens without a network.

import { offer } from './ui.ts';

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL: (url: string) => string };
}

// the page's policy lets no string become a script's address but through here
function scriptUrl(url: '/service-worker.js'): string {
  const types = (window as unknown as { trustedTypes?: TrustedTypes }).trustedTypes;
  return types ? types.createPolicy('chat-app', { createScriptURL: (u) => u }).createScriptURL(url) : url;
}

export function startOffline(): void {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return;
  addEventListener('load', () => void register());
  if (document.readyState === 'complete') void register();
}

let registered = false;

async function register(): Promise<void> {
  if (registered) return;
  registered = true;
  try {
    const registration = await navigator.serviceWorker.register(scriptUrl('/service-worker.js'), { updateViaCache: 'none' });
    const ready = (worker: ServiceWorker | null) => {
      if (worker && navigator.serviceWorker.controller) offerReload(registration);
    };
    ready(registration.waiting);
    registration.addEventListener('updatefound', () => {
      const worker = registration.installing;
      worker?.addEventListener('statechange', () => worker.state === 'installed' && ready(worker));
    });
  } catch {
    // private windows and plain http: the page works, but needs the network to open
  }
}

function offerReload(registration: ServiceWorkerRegistration): void {
  offer('A new version is ready.', 'Reload', () => {
    // there may be a newer one still; or none any more, when another tab has let it take over
    const worker = registration.waiting;
    if (!worker) return location.reload();
    navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
    worker.postMessage('skip-waiting');
  });
}
