/** Verify: how the verifier reads each digit, and new attempts at those that it cannot read. */

import { javascript, python } from "../calls.js";
import { modelSelect, seedField } from "../controls.js";
import { button, drawInk, el, inkCanvas } from "../dom.js";
import { Picture, PIXELS, SIDE, THRESHOLD } from "mnistgen";

export const title = "Verify";
export const lead =
  "A small classifier reads every digit. What it cannot read can be drawn again, until it is legible.";
export const defaults = { model: "vae", seed: "7", verify: "0" };

const COUNT = 12;

export function mount(root, page) {
  const model = modelSelect((name) => page.set({ model: name }));
  const seed = seedField((value) => page.set({ seed: value }));
  const redraw = button("", () => page.set({ verify: redraw.dataset.next }));
  const cards = el("div", { className: "cards" });
  root.append(el("div", { className: "controls" }, model.label, seed.label, seed.random, redraw), cards);

  return async (state, signal) => {
    const verify = state.verify === "1";
    model.set(state.model);
    seed.set(state.seed);
    redraw.dataset.next = verify ? "0" : "1";
    redraw.textContent = verify ? "Show the first attempts" : "Redraw illegible digits";
    page.showCalls(calls(state, verify));
    page.say("Reading…");
    const generator = await page.model(state.model);
    const options = { seed: state.seed, signal };
    const { images, attempts } = verify
      ? await generator.generateVerified(COUNT, options)
      : { images: await generator.generate(COUNT, options) };
    const probabilities = await generator.read(images);
    signal.throwIfAborted();
    const read = Array.from({ length: COUNT }, (_, i) => reading(probabilities, i, generator.model.classes));
    cards.replaceChildren(...read.map((one, i) => card(images, i, one, attempts?.[i])));
    page.say(summary(read, attempts));
  };
}

/** Return the digit that the verifier reads, its probability, and whether the image would be accepted. */
function reading(probabilities, i, classes) {
  const ten = [...probabilities.subarray(10 * i, 10 * i + 10)];
  const digit = ten.indexOf(Math.max(...ten));
  const requested = classes ? i % classes : digit;
  return { digit, requested, share: ten[digit], legible: ten[requested] >= THRESHOLD };
}

function card(images, i, { digit, requested, share, legible }, attempts) {
  const canvas = inkCanvas(`Image ${i}`);
  drawInk(canvas, new Picture({ pixels: images.subarray(i * PIXELS, (i + 1) * PIXELS), width: SIDE, height: SIDE }));
  const verdict = legible ? "legible" : digit === requested ? "unsure" : `not a ${requested}`;
  const lines = [`reads ${digit}, ${percent(share)}`, attempts > 1 ? `attempt ${attempts}` : verdict];
  return el(
    "figure",
    { className: legible ? "card" : "card doubtful" },
    canvas,
    el("figcaption", {}, ...lines.map((line) => el("span", {}, line))),
  );
}

/** Never round up to 100 %: the threshold lies close to it. */
function percent(share) {
  return `${(Math.floor(10_000 * share) / 100).toFixed(share > 0.99 ? 2 : 0)} %`;
}

function summary(read, attempts) {
  const legible = read.filter((one) => one.legible).length;
  if (!attempts) return `${legible} of ${COUNT} are legible: the verifier is at least ${percent(THRESHOLD)} sure.`;
  const total = attempts.reduce((sum, each) => sum + each, 0);
  return `All ${COUNT} are legible, after ${total} attempts.`;
}

function calls({ model, seed }, verify) {
  return {
    Python: `mnistgen.load("${model}").draw(n=${COUNT}, ${python({ seed, verify })})`,
    Shell: `mnistgen-run --model ${model} --n ${COUNT} --seed ${seed}${verify ? " --verify" : ""}`,
    JavaScript: `await (await load(${model.replace("-i", "I")})).draw(undefined, ${javascript({ n: COUNT, seed, verify })})`,
  };
}
