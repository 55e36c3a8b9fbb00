/** The page's state is its address: `#view?name=value`. So a link reproduces the picture, and "back" works. */

/** Return the view and its parameters in an address. */
export function read(views) {
  const [name, query = ""] = location.hash.slice(1).split("?");
  const view = Object.hasOwn(views, name) ? name : Object.keys(views)[0];
  return { view, ...views[view].defaults, ...Object.fromEntries(new URLSearchParams(query)) };
}

/** Return the address of a state. */
export function address({ view, ...parameters }) {
  return `#${view}?${new URLSearchParams(parameters)}`;
}

/** Write a state into the address: as a new entry of the history, or in place of the current one. */
export function write(state, isNew) {
  history[isNew ? "pushState" : "replaceState"](null, "", address(state));
}
