/**
 * The service worker: everything the page needs first is kept at installation, other models when they are used.
 *
 * The build replaces the two constants. A changed file gives another version, which takes over when the page asks for it.
 */

const VERSION = "__VERSION__";
const FILES = ["__FILES__"];

const CACHE = `mnistgen ${VERSION}`;
const page = new URL("./", self.location).href;

self.addEventListener("install", (event) => {
  const requests = FILES.map((path) => new Request(path, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(clean().then(() => self.clients.claim()));
});

self.addEventListener("message", (event) => {
  if (event.data === "activate") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(page)) event.respondWith(answer(request));
});

/** Delete the caches of other versions. */
async function clean() {
  for (const name of await caches.keys()) if (name.startsWith("mnistgen ") && name !== CACHE) await caches.delete(name);
}

/** Answer from the cache, or from the network; a model is kept. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.mode === "navigate" ? page : request, { ignoreSearch: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok && request.url.endsWith(".onnx")) await cache.put(request, response.clone());
  return response;
}
