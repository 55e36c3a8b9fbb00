/**
 * The service worker: the page and the first models are kept at installation, other models when they are used.
 *
 * The build replaces the two constants. A changed file gives another version, which starts when the page asks for it.
 * Models are kept by their SHA-256, so that a new version of the page does not fetch them again.
 */

const VERSION = "__VERSION__";
const FILES = ["__FILES__"];
const FIRST = ["models/manifest.json", "models/vae.onnx", "models/verifier.onnx"];

const PAGE = `mnistgen ${VERSION}`;
const MODELS = "mnistgen models";
const page = new URL("./", self.location).href;

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(clean().then(() => self.clients.claim())));
self.addEventListener("message", (event) => event.data === "activate" && self.skipWaiting());
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(page)) event.respondWith(answer(event));
});

/** Names in assets/ hold a hash of the content, so the browser's own cache can answer. */
async function install() {
  const cache = await caches.open(PAGE);
  const request = (path) => new Request(path, { cache: path.startsWith("assets/") ? "default" : "no-cache" });
  await cache.addAll(FILES.map(request));
  for (const path of FIRST) {
    const waiting = [];
    const first = new Request(new URL(path, page));
    await answer({ request: first, waitUntil: (promise) => waiting.push(promise) });
    await Promise.all(waiting);
  }
}

/** Delete the pages of other versions, and models that no manifest lists. */
async function clean() {
  for (const name of await caches.keys()) {
    if (name.startsWith("mnistgen ") && name !== PAGE && name !== MODELS) await caches.delete(name);
  }
  const cache = await caches.open(MODELS);
  for (const { url } of await cache.keys()) {
    const [file, sha256] = url.split("?");
    if (sha256 && sha256 !== (await listed(cache, file))) await cache.delete(url);
  }
}

async function answer(event) {
  const { request } = event;
  if (request.url.startsWith(`${page}models/`)) {
    return request.url.endsWith(".onnx") ? model(event) : newest(request);
  }
  const cache = await caches.open(PAGE);
  const kept = await cache.match(request, { ignoreSearch: true });
  return kept ?? fetch(request); // other addresses, of `mnistgen serve` for example, are not the page's
}

/** Return a manifest from the network; without one, the last that was there. */
async function newest(request) {
  const cache = await caches.open(MODELS);
  try {
    const response = await fetch(request);
    const isJson = response.ok && !/html/.test(response.headers.get("content-type"));
    if (isJson) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}

/** Return a model that was kept, or from the network. */
async function model(event) {
  const { request } = event;
  const cache = await caches.open(MODELS);
  const sha256 = await listed(cache, request.url);
  const key = `${request.url}?${sha256}`;
  const kept = sha256 && (await cache.match(key));
  if (kept) return kept;
  const response = await fetch(request);
  if (sha256 && response.ok) event.waitUntil(keep(cache, key, sha256, response.clone()));
  return response;
}

/** Keep a model if it is not damaged. */
async function keep(cache, key, sha256, response) {
  const copy = response.clone();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.arrayBuffer()));
  const found = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found === sha256) await cache.put(key, copy);
}

/** Return the SHA-256 of a file in the manifest of its folder. */
async function listed(cache, url) {
  const manifest = await cache.match(new URL("manifest.json", url));
  if (!manifest) return undefined;
  const { models, verifier } = await manifest.json();
  const name = new URL(url).pathname.split("/").at(-1);
  return [...Object.values(models), verifier].find((entry) => entry?.file === name)?.sha256;
}
