/** Draw: each press of a digit writes another one. */

import { http, javascript, keywords, list, options, python } from "../calls.js";
import { modelSelect, seedField } from "../controls.js";
import { button, drawInk, el, inkCanvas } from "../dom.js";

export const title = "Draw";
export const headline = "Handwritten digits that nobody wrote";
export const lead =
  "Three neural networks draw them, here in your browser. Press a digit, below or on your keyboard: each press gives " +
  "another handwriting.";
export const defaults = { model: "vae", seed: "7", digits: "0123456789" };

const MOST = 60;

export function mount(root, page, left) {
  const paper = el("div", { className: "paper ruled", role: "group", "aria-label": "Digits" });
  const model = modelSelect((name) => page.set({ model: name }));
  const seed = seedField((value) => page.set({ seed: value }));
  let digits = "";
  const append = (digit) => {
    if (digits.length < MOST) page.set({ digits: digits + digit });
    else page.say(`The paper is full with ${MOST} digits. Clear it to draw more.`);
  };
  const pad = el("div", { className: "pad", role: "group", "aria-label": "Draw a digit" });
  pad.append(...Array.from("1234567890", (digit) => button(digit, () => append(digit))));
  const undo = button("Undo", () => page.set({ digits: digits.slice(0, -1) }), { className: "end" });
  const clear = button("Clear", () => page.set({ digits: "" }));
  root.append(el("div", { className: "controls" }, model.label, seed.label, seed.random, undo, clear), paper, pad);
  onKeys((key) => (key === "Backspace" ? undo.click() : append(key)), left);

  let shown = { key: "", digits: "" };
  return async (state, signal) => {
    digits = state.digits.replace(/[^0-9]/g, "").slice(0, MOST);
    model.set(state.model);
    seed.set(state.seed);
    undo.disabled = clear.disabled = !digits;
    const key = `${state.model} ${state.seed}`;
    const kept = key === shown.key ? common(digits, shown.digits) : 0;
    shown = { key, digits: digits.slice(0, kept) };
    paper.replaceChildren(...[...paper.children].slice(0, kept));
    if (!digits) page.showCalls({});
    page.say(digits ? "Drawing…" : "Press a digit.");
    const generator = await page.model(state.model);
    signal.throwIfAborted();
    const verify = generator.model.classes === 0; // models without labels draw until the verifier reads the digit
    const started = performance.now();
    for (let i = kept; i < digits.length; i++) {
      const picture = await generator.draw(Number(digits[i]), { seed: state.seed, start: i, verify, signal });
      signal.throwIfAborted();
      const canvas = inkCanvas(`${digits[i]}, handwritten`);
      drawInk(canvas, picture);
      paper.append(canvas);
      shown.digits = digits.slice(0, i + 1);
    }
    if (!digits) return;
    page.showCalls(calls({ ...state, digits }, verify));
    page.say(summary(digits.slice(kept), performance.now() - started));
  };
}

/** Return the length of the beginning that two texts share. */
function common(one, other) {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}

function summary(drawn, ms) {
  if (!drawn) return "";
  return `Drew ${drawn.length === 1 ? `a ${drawn}` : `${drawn.length} digits`} in ${Math.max(1, Math.round(ms))} ms.`;
}

function calls({ model, seed, digits }, verify) {
  const several = list([...digits]);
  const number = `--digit ${[...digits].join(",")} --n ${digits.length} --seed ${seed}`;
  return {
    Python: python(model, "draw", several, keywords({ seed, verify })),
    Shell: `mnistgen-run --model ${model} ${number}${verify ? " --verify" : ""}`,
    JavaScript: javascript(model, "draw", several, options({ seed, verify })),
    HTTP: http(`${model}/grid.png`, { digits, seed, verify }),
  };
}

/** Call `press` for digits and Backspace that are typed outside of fields, until the view is left. */
function onKeys(press, left) {
  const listen = (event) => {
    const busy = event.target.closest("input, select") || event.ctrlKey || event.metaKey || event.altKey;
    if (!busy && /^([0-9]|Backspace)$/.test(event.key)) press(event.key);
  };
  addEventListener("keydown", listen, { signal: left });
}
