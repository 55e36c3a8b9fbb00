/** Write: a number or date in handwriting, to download. */

import { http, javascript, keywords, options, python } from "../calls.js";
import { modelSelect, seedField } from "../controls.js";
import { button, download, drawInk, el, INK, inkCanvas, labeled } from "../dom.js";

export const title = "Write";
export const lead = "Type a number, a date or a time, and see it in handwriting.";
export const defaults = { model: "cgan", seed: "7", text: "2026-11-26" };

export function mount(root, page) {
  const input = el("input", { maxLength: 60, autocomplete: "off", oninput: () => page.set({ text: input.value }) });
  const field = labeled("Text", input);
  field.className = "text-field";
  const model = modelSelect((name) => page.set({ model: name }));
  const seed = seedField((value) => page.set({ seed: value }));
  const canvas = inkCanvas("");
  canvas.classList.add("text");
  let picture;
  const save = (type, suffix) => async () => {
    const blob = await picture.toBlob(type, { scale: 8, color: INK, paper: "#ffffff" });
    download(blob, `${input.value.replaceAll(/[^0-9]+/g, "-")}.${suffix}`);
  };
  const saves = [button("Save PNG", save("image/png", "png")), button("Save SVG", save("image/svg+xml", "svg"))];
  root.append(
    el("div", { className: "controls" }, field, model.label, seed.label, seed.random),
    el("div", { className: "sheet" }, canvas),
    el("div", { className: "controls" }, ...saves),
  );

  return async (state, signal) => {
    if (input.value !== state.text) input.value = state.text;
    model.set(state.model);
    seed.set(state.seed);
    for (const press of saves) press.disabled = true;
    page.say("Writing…");
    const generator = await page.model(state.model);
    const verify = generator.model.classes === 0;
    const written = await generator.text(state.text, { seed: state.seed, verify, signal });
    signal.throwIfAborted();
    picture = written;
    drawInk(canvas, picture);
    canvas.setAttribute("aria-label", `${state.text}, handwritten`);
    for (const press of saves) press.disabled = false;
    const count = picture.boxes.length;
    page.say(`Wrote ${count} ${count === 1 ? "digit" : "digits"}.`);
    page.showCalls(calls(state, verify));
  };
}

function calls({ model, seed, text }, verify) {
  const quoted = JSON.stringify(text);
  return {
    Python: python(model, "text", quoted, keywords({ seed, verify })),
    Shell: `mnistgen-run --model ${model} --text=${quoted} --seed ${seed}${verify ? " --verify" : ""}`,
    JavaScript: javascript(model, "text", quoted, options({ seed, verify })),
    HTTP: http(`text/${encodeURIComponent(text)}.png`, { model, seed, verify }),
  };
}
