/** The calls that draw the same picture in Python, on the command line, in JavaScript and over HTTP. */

import { button, copy, el } from "./dom.js";

let chosen = "Python"; // the language stays while the visitor goes from view to view, where it has one

/**
 * Show calls below the digits.
 *
 * @param {Element} root
 * @param {Record<string, string>} calls Code by language; empty if there is no picture.
 */
export function showCalls(root, calls) {
  const languages = Object.keys(calls);
  if (!root.firstChild || languages.join() !== Object.keys(root.calls).join())
    root.replaceChildren(...(languages.length ? panel(root, languages) : []));
  root.calls = calls;
  if (languages.length) show(root, calls[chosen] ? chosen : languages[0]);
}

/** Create the heading, a button for each language, and the code. */
function panel(root, languages) {
  const buttons = languages.map((language) => button(language, () => show(root, (chosen = language))));
  const code = el("code", { tabIndex: 0, role: "region" });
  const press = button("Copy", () => copy(code.textContent, press), { "aria-label": "Copy the code" });
  return [
    el("h2", {}, "The same in code"),
    el("div", { className: "languages", role: "group", "aria-label": "Language" }, ...buttons),
    el("div", { className: "code" }, code, press),
  ];
}

function show(root, language) {
  for (const one of root.querySelectorAll(".languages button"))
    one.setAttribute("aria-pressed", one.textContent === language);
  const code = root.querySelector("code");
  code.setAttribute("aria-label", `${language} code`);
  if (code.textContent !== root.calls[language]) code.textContent = root.calls[language];
}

/** Return a program in Python that calls a method of a model. */
export function python(model, method, ...values) {
  return `import mnistgen\n\nmnistgen.load("${model}").${method}(${values.filter(Boolean).join(", ")})`;
}

/** Return a program in JavaScript that calls a method of a model. */
export function javascript(model, method, ...values) {
  const name = model.replace("-i", "I"); // a valid name of a variable
  return `import { load } from "mnistgen";
import ${name} from "mnistgen/models/${model}";

const gen = await load(${name});
await gen.${method}(${values.filter(Boolean).join(", ")});`;
}

/** Return a command that asks `mnistgen serve`, on its default port, for a picture. */
export function http(path, values) {
  const query = given(values).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `curl -o digits.png 'http://127.0.0.1:8029/v1/${path}?${query.join("&")}'`;
}

/** Return keyword arguments in Python's form, such as "seed=7, verify=True". */
export function keywords(values) {
  return given(values)
    .map(([name, value]) => `${name}=${value === true ? "True" : list(plain(name, value))}`)
    .join(", ");
}

/** Return options in JavaScript's form, such as "{ seed: 7 }". */
export function options(values) {
  const inside = given(values).map(([name, value]) => `${name}: ${name.startsWith("seed") ? big(value) : list(value)}`);
  return `{ ${inside.join(", ")} }`;
}

/** Return values in square brackets, as both languages write them. */
export function list(value) {
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}

function given(values) {
  return Object.entries(values).filter(([, value]) => value !== undefined && value !== false);
}

/** Python refuses leading zeros. */
function plain(name, value) {
  if (!name.startsWith("seed")) return value;
  return Array.isArray(value) ? value.map(BigInt) : BigInt(value);
}

/** Seeds above 2⁵³ are BigInts in JavaScript. */
function big(seed) {
  if (Array.isArray(seed)) return list(seed.map(big));
  return `${BigInt(seed)}${BigInt(seed) > 2n ** 53n ? "n" : ""}`;
}
