/** Small helpers to build the page. */

import { Picture, PIXELS, SIDE } from "mnistgen";

/** Blue-black. */
export const INK = "#16182b";

/**
 * Create an element.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] `on…` are listeners; names with a hyphen and `role` are attributes.
 * @param {...(Node | string)} children
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Create a button. */
export function button(text, onclick, properties = {}) {
  return el("button", { type: "button", onclick, ...properties }, text);
}

/** Create a labeled input or select; `field` is the element. */
export function labeled(text, field) {
  return el("label", {}, el("span", {}, text), field);
}

/** Create a select with options [value, text]. */
export function select(options, onchange) {
  return el("select", { onchange }, ...options.map(([value, text]) => el("option", { value }, text)));
}

/** Create a canvas that shows a picture as ink on transparent paper; CSS inverts it on dark pages. */
export function inkCanvas(label, width = SIDE, height = SIDE) {
  return el("canvas", { className: "ink", width, height, role: "img", "aria-label": label });
}

/** Draw a picture (a `Picture` of the package) on a canvas. */
export function drawInk(canvas, picture) {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").putImageData(picture.toImageData({ color: INK, paper: "none" }), 0, 0);
}

/** Draw image number i of an array of images on a canvas. */
export function drawImage(canvas, images, i = 0) {
  const pixels = images.subarray(i * PIXELS, (i + 1) * PIXELS);
  drawInk(canvas, new Picture({ pixels, width: SIDE, height: SIDE }));
}

/** Offer a Blob as a download. */
export function download(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Copy text; the button says so for a moment. */
export async function copy(text, pressed) {
  const before = pressed.textContent;
  try {
    await navigator.clipboard.writeText(text);
    pressed.textContent = "Copied";
  } catch {
    pressed.textContent = "Not allowed here";
  }
  setTimeout(() => (pressed.textContent = before), 1500);
}
