/** Latent space: the VAE's plane as a map; a point on it is decoded as fast as the machine can. */

import { grid, normalQuantile } from "mnistgen";

import { javascript, list, python } from "../calls.js";
import { range } from "../controls.js";
import { drawImage, drawInk, el, inkCanvas } from "../dom.js";
import { latest } from "../latest.js";
import { onArrows, onDrag } from "../pointing.js";

export const title = "Latent space";
export const lead = "The VAE keeps all digits on one plane. Drag the ring over it, or use the arrow keys.";
export const defaults = { x: "0.5", y: "0.5" };

/** Digits per row of the map behind the ring. */
const ROWS = 16;
const STEP = 0.01;
const EDGE = 0.002; // the plane ends at infinity
const REST_MS = 300; // then the digit is read

export function mount(root, page, left) {
  const digit = inkCanvas("The digit at the ring");
  digit.classList.add("large");
  const map = inkCanvas("Map of digits");
  const ring = el("div", { className: "ring" });
  const plane = el("div", { className: "plane", tabIndex: 0, role: "application" }, map, ring);
  plane.setAttribute("aria-label", "Latent plane: the arrow keys move the ring");
  const [x, y] = ["x", "y"].map((name) => {
    return range(name, { min: EDGE, max: 1 - EDGE, step: "any" }, (value) => page.set({ [name]: fixed(value) }));
  });
  const rate = el("p", { className: "rate" });
  const side = el("div", { className: "side" }, el("div", { className: "stage" }, digit), x.label, y.label, rate);
  root.append(el("div", { className: "columns" }, plane, side));
  let at = { x: 0.5, y: 0.5 };
  const move = (point) => page.set({ x: fixed(point.x), y: fixed(point.y) });
  onDrag(plane, move);
  onArrows(plane, (dx, dy) => move({ x: at.x + dx * STEP, y: at.y + dy * STEP }));

  const show = latest(async ({ generator, z }) => {
    const started = performance.now();
    const images = await decode(generator, z);
    drawImage(digit, images);
    rate.textContent = `z = (${z.map((value) => value.toFixed(2)).join(", ")}), ${(performance.now() - started).toFixed(1)} ms`;
    page.say("");
    page.showCalls(calls(z));
    readAtRest(generator, images);
  });
  let rest;
  const readAtRest = (generator, images) => {
    clearTimeout(rest);
    rest = setTimeout(async () => {
      const probabilities = await generator.read(images).catch(() => undefined);
      if (probabilities && !left.aborted) page.say(sentence(probabilities));
    }, REST_MS);
  };
  left.addEventListener("abort", () => clearTimeout(rest));

  let isMapped = false;
  return async (state, signal) => {
    at = { x: Number(fixed(state.x)), y: Number(fixed(state.y)) };
    x.set(at.x);
    y.set(at.y);
    ring.style.left = `${100 * at.x}%`;
    ring.style.top = `${100 * (1 - at.y)}%`;
    const generator = await page.model("vae");
    signal.throwIfAborted();
    const z = [at.x, at.y].map((share) => Number(normalQuantile(share).toFixed(4)));
    await show({ generator, z });
    if (isMapped || signal.aborted) return;
    drawInk(map, grid(await generator.manifold(ROWS, { signal }), { columns: ROWS }));
    isMapped = true;
  };
}

async function decode(generator, z) {
  return Uint8Array.from(await generator.decode(z), (ink) => Math.round(255 * ink));
}

function sentence(probabilities) {
  const most = Math.max(...probabilities);
  return `The verifier reads a ${probabilities.indexOf(most)}, ${Math.floor(100 * most)} % sure.`;
}

function fixed(share) {
  const number = Number.isFinite(Number(share)) ? Number(share) : 0.5;
  return Math.min(Math.max(number, EDGE), 1 - EDGE).toFixed(3);
}

function calls(z) {
  return {
    Python: python("vae", "decode", `[${list(z)}]`),
    Shell: `mnistgen manifold --side ${ROWS}  # the map`,
    JavaScript: javascript("vae", "decode", list(z)),
  };
}
