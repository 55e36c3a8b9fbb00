/** The service worker keeps the page for use without a network, and tells when there is a new version. */

/**
 * Start the service worker.
 *
 * @param {HTMLElement} notice Shown when a new version waits.
 * @param {HTMLElement} reload The button in it.
 */
export async function watchUpdates(notice, reload) {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  const workers = navigator.serviceWorker;
  const first = !workers.controller;
  const offer = (worker) => {
    if (!worker || !workers.controller) return; // nothing waits, or this is the first visit
    notice.hidden = false;
    reload.onclick = () => {
      workers.addEventListener("controllerchange", () => location.reload(), { once: true });
      worker.postMessage("activate");
    };
  };
  if (first) workers.addEventListener("controllerchange", keepUsed, { once: true });
  try {
    const registration = await workers.register(new URL("sw.js", document.baseURI));
    offer(registration.waiting);
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker.addEventListener("statechange", () => worker.state === "installed" && offer(worker));
    });
  } catch {
    // Without https or in private windows: the page works, but only with a network.
  }
}

/** Ask for the models again that were fetched before the service worker ran, so that it keeps them. */
function keepUsed() {
  const used = performance.getEntriesByType("resource").map((entry) => entry.name);
  for (const url of new Set(used.filter((url) => url.endsWith(".onnx")))) fetch(url).catch(() => {});
}
