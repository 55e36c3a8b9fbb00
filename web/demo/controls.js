/** Controls that several views share. */

import { button, el, labeled, select } from "./dom.js";
import { MODELS } from "./models.js";
import { randomSeed } from "./seeds.js";

/** Create a select of models; `change` takes the name. */
export function modelSelect(change) {
  return labeledField(
    "Model",
    select(MODELS, (event) => change(event.target.value)),
  );
}

/** Create a select of the digits 0 to 9; `change` takes the digit. */
export function digitSelect(text, change) {
  const digits = Array.from("0123456789", (digit) => [digit, digit]);
  const field = labeledField(
    text,
    select(digits, (event) => change(event.target.value)),
  );
  field.label.className = "digit";
  return field;
}

/** Create a field for a seed, and a button that takes a random one; `change` takes the seed as text. */
export function seedField(change) {
  const input = el("input", {
    inputMode: "numeric",
    autocomplete: "off",
    maxLength: 20,
    className: "seed",
    oninput: () => change(input.value),
  });
  return { ...labeledField("Seed", input), random: button("New seed", () => change(randomSeed())) };
}

/** Create a labeled range; `change` takes the value as text. */
export function range(text, properties, change) {
  const input = el("input", { type: "range", ...properties, oninput: () => change(input.value) });
  return labeledField(text, input);
}

/** Return a label, and a function that sets its field unless the visitor is typing the same value there. */
function labeledField(text, field) {
  const set = (value) => {
    if (field.value !== String(value)) field.value = value;
  };
  return { label: labeled(text, field), set, field };
}
