/** Offer to keep all models, so that every view works without a network. */

import { button } from "./dom.js";
import { facts, filesOf } from "./models.js";

/** The name that sw.js uses, too. */
const CACHE = "mnistgen models";

/**
 * Offer it where a service worker runs.
 *
 * @param {HTMLElement} root
 */
export async function offerOffline(root) {
  if (!globalThis.caches || !(await navigator.serviceWorker?.getRegistration())) return;
  await navigator.serviceWorker.ready;
  const manifest = await facts("manifest.json");
  if (!manifest) return;
  const missing = await notKept(filesOf(manifest));
  if (!missing.length) return say(root, "All models are kept for use without a network.");
  const total = [...Object.values(manifest.models), manifest.verifier]
    .filter((entry) => missing.some((url) => url.endsWith(`/${entry.file}`)))
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const press = button(`Keep all models offline (${Math.round(total / 1e6)} MB)`, () => keep(root, press, missing), {
    className: "quiet",
  });
  root.replaceChildren(press);
}

async function keep(root, press, urls) {
  press.disabled = true;
  try {
    for (const [i, url] of urls.entries()) {
      press.textContent = `Fetching model ${i + 1} of ${urls.length}…`;
      await (await fetch(url)).arrayBuffer();
    }
    for (let tries = 0; tries < 50 && (await notKept(urls)).length; tries++) await pause(200);
    const failed = (await notKept(urls)).length;
    say(root, failed ? "The browser could not keep all models." : "All models are kept for use without a network.");
  } catch {
    say(root, "The models could not be fetched. Check the network and reload the page.");
  }
}

/** Return those of the URLs that the service worker has not kept. */
async function notKept(urls) {
  const kept = (await (await caches.open(CACHE)).keys()).map((request) => request.url.split("?")[0]);
  return urls.filter((url) => !kept.includes(url));
}

function say(root, sentence) {
  root.textContent = sentence;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
