/** Draw: each press of a digit writes another one. */

import { javascript, python } from "../calls.js";
import { modelSelect, seedField } from "../controls.js";
import { button, drawInk, el, inkCanvas } from "../dom.js";

export const title = "Draw";
export const lead = "Press a digit, here or on your keyboard. Each one is new, and no two are the same.";
export const defaults = { model: "vae", seed: "7", digits: "0123456789" };

const MOST = 60;

export function mount(root, page) {
  const paper = el("div", { className: "paper", role: "group", "aria-label": "Digits" });
  const model = modelSelect((name) => page.set({ model: name }));
  const seed = seedField((value) => page.set({ seed: value }));
  let digits = "";
  const append = (digit) => page.set({ digits: (digits + digit).slice(-MOST) });
  const pad = el("div", { className: "pad", role: "group", "aria-label": "Draw a digit" });
  pad.append(...Array.from("1234567890", (digit) => button(digit, () => append(digit))));
  const undo = button("Undo", () => page.set({ digits: digits.slice(0, -1) }));
  const clear = button("Clear", () => page.set({ digits: "" }));
  root.append(el("div", { className: "controls" }, model.label, seed.label, seed.random, undo, clear), pad, paper);
  onKeys(root, (key) => (key === "Backspace" ? undo.click() : append(key)));

  let shown = { key: "", digits: "" };
  return async (state, signal) => {
    digits = state.digits;
    model.set(state.model);
    seed.set(state.seed);
    const key = `${state.model} ${state.seed}`;
    const kept = key === shown.key && digits.startsWith(shown.digits) ? shown.digits.length : 0;
    shown = { key, digits: digits.slice(0, kept) };
    paper.replaceChildren(...[...paper.children].slice(0, kept));
    page.showCalls(calls(state));
    if (!digits) return page.say("Press a digit.");
    page.say("Drawing…");
    const generator = await page.model(state.model);
    const started = performance.now();
    for (let i = kept; i < digits.length; i++) {
      const picture = await drawOne(generator, state, i, signal);
      signal.throwIfAborted();
      const canvas = inkCanvas(`${digits[i]}, handwritten`);
      drawInk(canvas, picture);
      paper.append(canvas);
      shown.digits = digits.slice(0, i + 1);
    }
    const count = digits.length - kept;
    const time = Math.max(1, Math.round(performance.now() - started));
    page.say(count ? `Drew ${count === 1 ? `a ${digits.at(-1)}` : `${count} digits`} in ${time} ms.` : "");
  };
}

/** Draw digit number i. Models without labels draw until the verifier reads the digit. */
function drawOne(generator, { digits, seed }, i, signal) {
  const verify = generator.model.classes === 0;
  return generator.draw(Number(digits[i]), { seed, start: i, verify, signal });
}

function calls({ model, seed, digits }) {
  if (!digits) return {};
  const verify = !model.startsWith("cgan");
  const list = `[${[...digits].join(", ")}]`;
  return {
    Python: `mnistgen.load("${model}").draw(${list}, ${python({ seed, verify })})`,
    Shell: `mnistgen-run --model ${model} --digit ${[...digits].join(",")} --n ${digits.length} --seed ${seed}${verify ? " --verify" : ""}`,
    JavaScript: `await (await load(${model.replace("-i", "I")})).draw(${list}, ${javascript({ seed, verify })})`,
  };
}

/** Call `press` for digits and Backspace that are typed outside of fields, until the view is left. */
function onKeys(root, press) {
  const sign = root.firstChild;
  const listen = (event) => {
    if (!sign.isConnected) return removeEventListener("keydown", listen);
    const busy = event.target.closest("input, select") || event.ctrlKey || event.metaKey || event.altKey;
    if (!busy && /^([0-9]|Backspace)$/.test(event.key)) press(event.key);
  };
  addEventListener("keydown", listen);
}
