/** The page's state is its address: `#view?name=value`. So a link reproduces the picture, and "back" works. */

/** Browsers refuse too many changes of the address. */
const WAIT_MS = 250;

let timer;
let written = 0;

/** Return the view and its parameters in an address. */
export function read(views) {
  forget();
  const [name, query = ""] = location.hash.slice(1).split("?");
  const view = Object.hasOwn(views, name) ? name : Object.keys(views)[0];
  return { view, ...views[view].defaults, ...Object.fromEntries(new URLSearchParams(query)) };
}

/** Return the address of a state. */
export function address({ view, ...parameters }) {
  return `#${view}?${new URLSearchParams(parameters)}`;
}

/** Write a state into the address, now or soon. */
export function write(state) {
  forget();
  const commit = () => {
    written = performance.now();
    history.replaceState(null, "", address(state));
  };
  const wait = written + WAIT_MS - performance.now();
  if (wait <= 0) commit();
  else timer = setTimeout(commit, wait);
}

function forget() {
  clearTimeout(timer);
}
