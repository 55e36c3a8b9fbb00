/** Verify: how the verifier reads each digit, and new attempts at those that it cannot read. */

import { THRESHOLD } from "mnistgen";

import { javascript, keywords, options, python } from "../calls.js";
import { modelSelect, seedField } from "../controls.js";
import { button, drawImage, el, inkCanvas } from "../dom.js";

export const title = "Verify";
export const lead = "A small classifier reads every digit. What it cannot read is drawn again, until it is legible.";
export const defaults = { model: "vae", seed: "7", verify: "0" };

const COUNT = 12;

export function mount(root, page) {
  const model = modelSelect((name) => page.set({ model: name }));
  const seed = seedField((value) => page.set({ seed: value }));
  const redraw = button("", () => page.set({ verify: redraw.dataset.next }), { className: "main" });
  const cards = el("div", { className: "cards" });
  root.append(el("div", { className: "controls" }, model.label, seed.label, seed.random, redraw), cards);

  return async (state, signal) => {
    const verify = state.verify === "1";
    model.set(state.model);
    seed.set(state.seed);
    redraw.dataset.next = verify ? "0" : "1";
    redraw.textContent = verify ? "Show the first attempts" : "Redraw illegible digits";
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
    page.showCalls(calls(state, verify));
  };
}

/** Return the digit that the verifier reads, the probabilities, and whether the image would be accepted. */
function reading(probabilities, i, classes) {
  const ten = [...probabilities.subarray(10 * i, 10 * i + 10)];
  const digit = ten.indexOf(Math.max(...ten));
  const requested = classes ? i % classes : digit;
  return { digit, requested, ten, legible: ten[requested] >= THRESHOLD };
}

function card(images, i, { digit, requested, ten, legible }, attempts) {
  const canvas = inkCanvas(`Image ${i}`);
  drawImage(canvas, images, i);
  const verdict = legible ? "Legible" : digit === requested ? "Unsure" : `Not a ${requested}`;
  const text = attempts > 1 ? `Attempt ${attempts}` : verdict;
  return el(
    "figure",
    { className: legible ? "card" : "card doubtful" },
    canvas,
    bars(ten),
    el("figcaption", {}, el("span", {}, `${digit}: ${percent(ten[digit])}`), el("span", {}, text)),
  );
}

/** Create a chart of ten probabilities. */
function bars(ten) {
  const named = ten.map((share, digit) => [digit, share]).filter(([, share]) => share >= 0.005);
  const label = named.map(([digit, share]) => `${digit}: ${percent(share)}`).join(", ");
  const columns = ten.map((share, digit) => {
    const bar = el("i");
    bar.style.height = `${Math.max(100 * share, share > 0.001 ? 4 : 0)}%`;
    return el("span", {}, bar, el("b", {}, String(digit)));
  });
  return el("div", { className: "bars", role: "img", "aria-label": `Probabilities: ${label}` }, ...columns);
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
  const values = { n: COUNT, seed, verify };
  return {
    Python: python(model, "draw", keywords(values)),
    Shell: `mnistgen-run --model ${model} --n ${COUNT} --seed ${seed}${verify ? " --verify" : ""}`,
    JavaScript: javascript(model, "draw", "undefined", options(values)),
  };
}
