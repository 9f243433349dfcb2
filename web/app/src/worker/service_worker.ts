// Keeps the files of the page, so that it opens at once and without a
// network.  Messages are not its business: the SDK keeps those.

export {};

declare const self: ServiceWorkerGlobalScope;

/** Put in by the build: every file of the page, and a name that changes with them. */
declare const __FILES__: string[];
declare const __VERSION__: string;

const CACHE = `chat-${__VERSION__}`;

self.addEventListener('install', (e) => {
  e.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(__FILES__.map((url) => new Request(url, { cache: 'no-cache' })))));
});

self.addEventListener('activate', (e) => {
  e.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((n) => n.startsWith('chat-') && n !== CACHE).map((n) => caches.delete(n))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('message', (e) => {
  if (e.data === 'skip-waiting') void self.skipWaiting();
});

self.addEventListener('fetch', (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== 'GET' || url.origin !== location.origin) return;
  const path = url.pathname === '/' || url.pathname === '/index.html' ? '/' : url.pathname;
  // the API and everything unknown goes its own way
  if (!__FILES__.includes(path)) return;
  e.respondWith(caches.open(CACHE).then(async (cache) => (await cache.match(path)) ?? fetch(e.request)));
});

self.addEventListener('notificationclick', (e) => {
  e.notification.close();
  const channel: unknown = e.notification.data?.channel;
  e.waitUntil(
    self.clients.matchAll({ type: 'window', includeUncontrolled: true }).then(async (windows) => {
      const page = windows[0];
      if (!page) return self.clients.openWindow(`/#/c/${encodeURIComponent(String(channel))}`);
      page.postMessage({ open: channel });
      return page.focus();
    }),
  );
});
