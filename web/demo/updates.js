/** The service worker keeps the page for use without a network, and tells when there is a new version. */

/**
 * @param {HTMLElement} notice Shown when a new version waits.
 * @param {HTMLElement} reload The button in it.
 */
export async function watchUpdates(notice, reload) {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  try {
    const registration = await navigator.serviceWorker.register(new URL("sw.js", document.baseURI));
    const offer = (worker) => {
      if (!worker || !navigator.serviceWorker.controller) return; // nothing waits, or this is the first visit
      notice.hidden = false;
      reload.onclick = () => worker.postMessage("activate");
      navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    };
    offer(registration.waiting);
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker.addEventListener("statechange", () => worker.state === "installed" && offer(worker));
    });
  } catch {
    // Without https or in private windows: the page works, but only with a network.
  }
}
