/** Latent space: the VAE's plane as a map; a point on it is decoded as fast as the machine can. */

import { grid, normalQuantile, Picture, SIDE } from "mnistgen";

import { range } from "../controls.js";
import { drawInk, el, inkCanvas } from "../dom.js";

export const title = "Latent space";
export const lead = "The VAE keeps all digits on one plane. Drag the ring over it, or use the arrow keys.";
export const defaults = { x: "0.5", y: "0.5" };

/** Digits per row of the map behind the ring. */
const ROWS = 16;
const STEP = 0.01;
const EDGE = 0.002; // the plane ends at infinity

export function mount(root, page) {
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
  const side = el("div", { className: "side" }, digit, x.label, y.label, rate);
  root.append(el("div", { className: "columns" }, plane, side));
  let at = { x: 0.5, y: 0.5 };
  const move = (point) => page.set({ x: fixed(point.x), y: fixed(point.y) });
  onDrag(plane, move);
  onArrows(plane, (dx, dy) => move({ x: at.x + dx * STEP, y: at.y + dy * STEP }));

  /** Decode until the digit is that of the latest point: a moving ring must not stop a digit that was begun. */
  async function drawLatest(generator) {
    let point;
    do {
      point = at;
      const z = latent(point);
      const started = performance.now();
      drawInk(digit, await decode(generator, z));
      const time = performance.now() - started;
      rate.textContent = `z = (${z.map((value) => value.toFixed(2)).join(", ")}), decoded in ${time.toFixed(1)} ms`;
      await nextFrame();
    } while (point !== at);
  }

  let drawing;
  let drawMap = async (generator, signal) => {
    drawInk(map, grid(await generator.manifold(ROWS, { signal }), { columns: ROWS }));
    drawMap = async () => {};
  };
  return async (state, signal) => {
    at = { x: Number(fixed(state.x)), y: Number(fixed(state.y)) };
    x.set(at.x);
    y.set(at.y);
    ring.style.left = `${100 * at.x}%`;
    ring.style.top = `${100 * (1 - at.y)}%`;
    const generator = await page.model("vae");
    drawing ??= drawLatest(generator).finally(() => (drawing = undefined));
    await drawing;
    signal.throwIfAborted();
    page.showCalls(calls(latent(at)));
    await drawMap(generator, signal);
    page.say("");
  };
}

/** Return the latent at a point, with four digits so that the calls are short. */
function latent({ x, y }) {
  return [x, y].map((share) => Number(normalQuantile(share).toFixed(4)));
}

async function decode(generator, z) {
  const ink = await generator.decode(z);
  return new Picture({ pixels: Uint8Array.from(ink, (value) => Math.round(255 * value)), width: SIDE, height: SIDE });
}

function fixed(share) {
  const number = Number.isFinite(Number(share)) ? Number(share) : 0.5;
  return Math.min(Math.max(number, EDGE), 1 - EDGE).toFixed(3);
}

function nextFrame() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

/** Call `move` with the position of a pressed mouse, pen or finger; x and y from 0 to 1, y upwards. */
function onDrag(plane, move) {
  const point = (event) => {
    const box = plane.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: 1 - (event.clientY - box.top) / box.height };
  };
  plane.addEventListener("pointerdown", (event) => {
    plane.setPointerCapture(event.pointerId);
    move(point(event));
  });
  plane.addEventListener("pointermove", (event) => {
    if (plane.hasPointerCapture(event.pointerId)) move(point(event));
  });
}

function onArrows(plane, step) {
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  plane.addEventListener("keydown", (event) => {
    if (!STEPS[event.key]) return;
    event.preventDefault(); // do not scroll
    const [dx, dy] = STEPS[event.key];
    step(dx * (event.shiftKey ? 5 : 1), dy * (event.shiftKey ? 5 : 1));
  });
}

function calls(z) {
  const list = `[${z.join(", ")}]`;
  return {
    Python: `mnistgen.load("vae").decode([${list}])`,
    Shell: `mnistgen manifold --side ${ROWS} --out map.png`,
    JavaScript: `await (await load(vae)).decode(${list})`,
  };
}
