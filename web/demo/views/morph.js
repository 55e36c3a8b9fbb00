/** Morph: from one digit to another, by hand or as an animation. */

import { javascript, keywords, options, python } from "../calls.js";
import { digitSelect, modelSelect, range, seedField } from "../controls.js";
import { button, download, drawImage, el, inkCanvas } from "../dom.js";
import { gif } from "../gif.js";
import { nextSeed } from "../seeds.js";

export const title = "Morph";
export const lead = "Between two digits lie all the shapes that lead from one to the other.";
export const defaults = { model: "cgan", seed: "14", from: "3", to: "8", frame: "0" };

/** Frames from one digit to the other; as many lead back. */
const FRAMES = 24;
const FRAME_MS = 40;
/** Frames of the strip below the slider. */
const STRIP = [0, 4, 8, 12, 16, 20, 24];

export function mount(root, page, left) {
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
  const strip = STRIP.map((frame) => inkCanvas(`Frame ${frame} of ${FRAMES}`));
  let walk = { key: "" };
  const player = newPlayer((frame) => {
    if (!walk.frames) return;
    way.set(frame > FRAMES ? 2 * FRAMES - frame : frame);
    drawImage(canvas, walk.frames, frame);
  }, left);
  const play = button("Play", () => {
    play.textContent = player.toggle(Number(way.field.value)) ? "Pause" : "Play";
    if (play.textContent === "Play") page.set({ frame: way.field.value });
  });
  const save = button("Save GIF", async () =>
    download(await gif(walk.frames, FRAME_MS), `morph-${walk.key.replaceAll(" ", "-")}.gif`),
  );
  root.append(
    el("div", { className: "controls" }, model.label, from.label, to.label, seed.label, seed.random),
    el("div", { className: "stage" }, canvas, el("div", { className: "strip" }, ...strip)),
    el("div", { className: "controls" }, way.label, play, save),
  );

  return async (state, signal) => {
    setAll({ model, seed, from, to }, state);
    save.disabled = play.disabled = true;
    const generator = await page.model(state.model);
    signal.throwIfAborted();
    const labeled = generator.model.classes > 0;
    from.field.disabled = to.field.disabled = !labeled;
    const stops = stopsOf(state, labeled);
    const key = [state.model, state.seed, ...(stops.digits ?? [])].join(" ");
    if (key !== walk.key) {
      page.say("Drawing…");
      const { frames } = await generator.walk({ ...stops, frames: FRAMES, loop: true, signal });
      walk = { key, frames };
      strip.forEach((small, i) => drawImage(small, frames, STRIP[i]));
    }
    save.disabled = play.disabled = false;
    const frame = Math.min(Math.max(Math.round(Number(state.frame)) || 0, 0), FRAMES);
    if (!player.running()) {
      way.set(frame);
      drawImage(canvas, walk.frames, frame);
    } else player.from(frame);
    page.say(
      labeled
        ? `From ${state.from} to ${state.to} in ${FRAMES} steps.`
        : "This model takes no labels: the way leads from one random digit to the next.",
    );
    page.showCalls(calls(state.model, stops));
  };
}

function setAll(fields, state) {
  for (const [name, field] of Object.entries(fields)) field.set(state[name]);
}

/** Return the stops: two digits in one handwriting, or two latents. */
function stopsOf({ seed, from, to }, labeled) {
  return labeled ? { seeds: seed, digits: [Number(from), Number(to)] } : { seeds: [seed, nextSeed(seed)] };
}

/** Call `show` with numbers of frames at the pace of a GIF while playing, until the view is left. */
function newPlayer(show, left) {
  let timer;
  let frame = 0;
  const stop = () => (timer = clearInterval(timer));
  left.addEventListener("abort", stop);
  return {
    running: () => timer !== undefined,
    from: (first) => (frame = first),
    /** Start or stop, and return whether it runs. */
    toggle(first) {
      if (timer !== undefined) return stop() ?? false;
      frame = first;
      timer = setInterval(() => show((frame = (frame + 1) % (2 * FRAMES))), FRAME_MS);
      return true;
    },
  };
}

function calls(model, { seeds, digits }) {
  const walk = { seeds, digits, frames: FRAMES, loop: true };
  const ends = `--seeds ${[seeds].flat().join(",")}${digits ? ` --digits ${digits}` : ""}`;
  return {
    Python: python(model, "walk", keywords(walk)),
    Shell: `mnistgen walk --model ${model} ${ends} --frames ${FRAMES} --loop`,
    JavaScript: javascript(model, "walk", options(walk)),
  };
}
