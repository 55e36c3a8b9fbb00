/** The page: links to the views, the current view, and what all views share. */

import { showCalls } from "./calls.js";
import { button, copy, el } from "./dom.js";
import { model } from "./models.js";
import { offerOffline } from "./offline.js";
import { address, read, write } from "./state.js";
import { watchUpdates } from "./updates.js";
import * as compare from "./views/compare.js";
import * as draw from "./views/draw.js";
import * as latent from "./views/latent.js";
import * as morph from "./views/morph.js";
import * as verify from "./views/verify.js";
import * as writing from "./views/write.js";

/**
 * Each view exports `title`, `lead`, `defaults`, and `mount(root, page, left)`, which returns `update(state, signal)`. One
 * has a `headline` in place of its title.
 */
const VIEWS = { draw, write: writing, latent, morph, compare, verify };

const [tabs, root, status, progress, calls] = ["tabs", "view", "status", "progress", "calls"].map((id) =>
  document.getElementById(id),
);
let state = read(VIEWS);
let mounted; // the name of the view on the page
let update; // its function
let left = new AbortController(); // aborted when the view is left
let running = new AbortController(); // aborted by the next update

/** What a view can use. */
const page = {
  /** Change parameters; the view is updated and the address follows. */
  set(parameters) {
    state = { ...state, ...parameters };
    write(state);
    return show();
  },
  say: (sentence) => (status.textContent = sentence),
  showCalls: (code) => showCalls(calls, code),
  model: (name, folder) => model(name, showShare, folder),
};

/** Show the state: mount its view if it is another one, and update it. A later call stops this one. */
async function show() {
  running.abort();
  const { signal } = (running = new AbortController());
  if (mounted !== state.view) mount();
  root.setAttribute("aria-busy", "true");
  status.removeAttribute("data-error");
  try {
    await update(state, signal);
  } catch (error) {
    if (!signal.aborted) showError(error);
  }
  if (!signal.aborted) root.removeAttribute("aria-busy");
}

function mount() {
  const view = VIEWS[(mounted = state.view)];
  left.abort();
  left = new AbortController();
  document.title = `${view.title} · mnistgen`;
  document.body.dataset.view = mounted;
  calls.replaceChildren();
  page.say("");
  const share = button("Copy link", () => copy(new URL(address(state), location.href).href, share), {
    className: "quiet",
  });
  root.replaceChildren(
    el("div", { className: "heading" }, el("h2", {}, view.headline ?? view.title), share),
    el("p", { className: "lead" }, view.lead),
  );
  update = view.mount(root, page, left.signal);
  for (const tab of tabs.children) {
    if (tab.dataset.view === mounted) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

/** Show how much of a model has been fetched: NaN if that is unknown, undefined at the end. */
function showShare(share) {
  progress.hidden = share === undefined;
  if (share >= 0) progress.value = share;
  else progress.removeAttribute("value");
}

function showError(error) {
  status.setAttribute("data-error", "");
  page.showCalls({});
  page.say(error.message);
  if (!error.code) console.error(error); // not foreseen
}

for (const [name, view] of Object.entries(VIEWS)) {
  const link = el("a", { href: address({ view: name, ...view.defaults }) }, view.title);
  link.dataset.view = name;
  tabs.append(link);
}
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address holds the state
  root.focus();
});
addEventListener("hashchange", () => {
  state = read(VIEWS);
  show();
});
await show(); // before the service worker takes up the network
await watchUpdates(document.getElementById("update"), document.getElementById("reload"));
await offerOffline(document.getElementById("offline"));
