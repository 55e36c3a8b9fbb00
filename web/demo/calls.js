/** The calls that draw the same picture in Python, on the command line and in JavaScript. */

import { button, copy, el } from "./dom.js";

/**
 * Show calls below the digits.
 *
 * @param {Element} root
 * @param {Record<string, string>} calls Code by language.
 */
export function showCalls(root, calls) {
  const rows = Object.entries(calls).map(([language, code]) => {
    const text = el("code", { tabIndex: 0, role: "region", "aria-label": `${language} code` }, code);
    const press = button("Copy", () => copy(code, press), { "aria-label": `Copy the ${language} code` });
    return el("div", { className: "call" }, el("span", {}, language), text, press);
  });
  root.replaceChildren(el("h2", {}, "The same in code"), ...rows);
}

/** Return keyword arguments in Python's form, such as "seed=7, verify=True". */
export function python(values) {
  return given(values)
    .map(([name, value]) => `${name}=${value === true ? "True" : list(value)}`)
    .join(", ");
}

/** Return options in JavaScript's form, such as "{ seed: 7n }". */
export function javascript(values) {
  const inside = given(values).map(([name, value]) => `${name}: ${name.startsWith("seed") ? big(value) : list(value)}`);
  return `{ ${inside.join(", ")} }`;
}

function given(values) {
  return Object.entries(values).filter(([, value]) => value !== undefined && value !== false);
}

function list(value) {
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}

/** Seeds above 2⁵³ are BigInts in JavaScript. */
function big(seed) {
  return Array.isArray(seed) ? `[${seed.map(big).join(", ")}]` : `${seed}${BigInt(seed) > 2n ** 53n ? "n" : ""}`;
}
