/** Morph: from one digit to another, by hand or as an animation. */

import { javascript, python } from "../calls.js";
import { digitSelect, modelSelect, range, seedField } from "../controls.js";
import { button, download, drawInk, el, inkCanvas } from "../dom.js";
import { Picture, PIXELS, SIDE } from "mnistgen";

export const title = "Morph";
export const lead = "Two digits are two points. On the way between them, one becomes the other.";
export const defaults = { model: "cgan", seed: "14", from: "3", to: "8", frame: "0" };

/** Frames from one digit to the other; as many lead back. */
const FRAMES = 24;
const FRAME_MS = 40;

export function mount(root, page) {
  const canvas = inkCanvas("The digit on its way");
  canvas.classList.add("large");
  const model = modelSelect((name) => page.set({ model: name }));
  const seed = seedField((value) => page.set({ seed: value }));
  const [from, to] = [
    digitSelect("From", (digit) => page.set({ from: digit })),
    digitSelect("To", (digit) => page.set({ to: digit })),
  ];
  const way = range("On the way", { min: 0, max: FRAMES, step: 1 }, (value) => page.set({ frame: value }));
  way.label.className = "way";
  let walk = { key: "" };
  const player = newPlayer((frame) => showFrame(canvas, walk.frames, frame % (2 * FRAMES)));
  const play = button("Play", () => {
    player.toggle();
    play.textContent = player.running() ? "Pause" : "Play";
  });
  const save = button("Save GIF", async () =>
    download(await gif(walk.frames), `morph-${walk.key.replaceAll(" ", "-")}.gif`),
  );
  root.append(
    el("div", { className: "controls" }, model.label, from.label, to.label, seed.label, seed.random),
    el("div", { className: "stage" }, canvas),
    el("div", { className: "controls" }, way.label, play, save),
  );

  return async (state, signal) => {
    for (const [field, value] of [
      [model, state.model],
      [seed, state.seed],
      [from, state.from],
      [to, state.to],
    ])
      field.set(value);
    way.set(state.frame);
    const generator = await page.model(state.model);
    const labeled = generator.model.classes > 0;
    for (const field of [from, to]) field.field.disabled = !labeled;
    const key = [state.model, state.seed, ...(labeled ? [state.from, state.to] : [])].join(" ");
    if (key !== walk.key) {
      const { frames } = await generator.walk({ ...stops(state, labeled), frames: FRAMES, loop: true, signal });
      walk = { key, frames };
    }
    signal.throwIfAborted();
    showFrame(canvas, walk.frames, Math.min(Number(state.frame) || 0, FRAMES));
    page.say(labeled ? "" : "This model takes no labels: the walk leads from one latent to the next.");
    page.showCalls(calls(state, labeled));
  };
}

/** Return the stops: two digits in one handwriting, or two latents. */
function stops({ seed, from, to }, labeled) {
  return labeled ? { seeds: seed, digits: [Number(from), Number(to)] } : { seeds: [seed, String(BigInt(seed) + 1n)] };
}

function showFrame(canvas, frames, index) {
  const pixels = frames.subarray(index * PIXELS, (index + 1) * PIXELS);
  drawInk(canvas, new Picture({ pixels, width: SIDE, height: SIDE }));
}

/** Call `show` with 0, 1, 2… at the pace of a GIF while playing. */
function newPlayer(show) {
  let timer;
  let frame = 0;
  return {
    running: () => timer !== undefined,
    toggle() {
      timer = timer === undefined ? setInterval(() => show(frame++), FRAME_MS) : clearInterval(timer);
    },
  };
}

/** Encode the frames as an endless GIF, ink on white. */
async function gif(frames, scale = 8) {
  const { GIFEncoder } = await import("gifenc");
  const encoder = GIFEncoder();
  const palette = Array.from({ length: 256 }, (_, level) => Array(3).fill(255 - level));
  for (let at = 0; at < frames.length; at += PIXELS) {
    const pixels = enlarge(frames.subarray(at, at + PIXELS), scale);
    encoder.writeFrame(pixels, SIDE * scale, SIDE * scale, { palette, delay: FRAME_MS });
  }
  encoder.finish();
  return new Blob([encoder.bytes()], { type: "image/gif" });
}

function enlarge(pixels, scale) {
  const side = SIDE * scale;
  const at = (i) => Math.floor(Math.floor(i / side) / scale) * SIDE + Math.floor((i % side) / scale);
  return Uint8Array.from({ length: side * side }, (_, i) => pixels[at(i)]);
}

function calls(state, labeled) {
  const { model } = state;
  const { seeds, digits } = stops(state, labeled);
  const places = [seeds].flat().join(",");
  return {
    Python: `mnistgen.load("${model}").walk(${python({ seeds, digits, frames: FRAMES, loop: true })})`,
    Shell: `mnistgen walk --model ${model} --seeds ${places}${digits ? ` --digits ${digits}` : ""} --frames ${FRAMES} --loop --out morph.gif`,
    JavaScript: `await (await load(${model.replace("-i", "I")})).walk(${javascript({ seeds, digits, frames: FRAMES, loop: true })})`,
  };
}
