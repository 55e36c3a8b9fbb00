/** Controls that several views share. */

import { button, el, labeled, select } from "./dom.js";
import { MODELS } from "./models.js";

/** Create a select of models; `change` takes the name. */
export function modelSelect(change, names = MODELS.map(([name]) => name)) {
  const options = MODELS.filter(([name]) => names.includes(name));
  return labeledField(
    "Model",
    select(options, (event) => change(event.target.value)),
  );
}

/** Create a select of the digits 0 to 9; `change` takes the digit. */
export function digitSelect(text, change) {
  const options = Array.from("0123456789", (digit) => [digit, digit]);
  return labeledField(
    text,
    select(options, (event) => change(event.target.value)),
  );
}

/** Create a field for a seed, and a button that takes a random one; `change` takes the seed as text. */
export function seedField(change) {
  const input = el("input", {
    inputMode: "numeric",
    autocomplete: "off",
    maxLength: 20,
    oninput: () => change(input.value),
  });
  const random = () => change(String(crypto.getRandomValues(new Uint16Array(1))[0]));
  return { ...labeledField("Seed", input), random: button("New seed", random) };
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
