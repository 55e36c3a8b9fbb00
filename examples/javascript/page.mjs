/** The page: each key press appends a digit, image 0, 1, 2… of the seed. */

import * as ort from "onnxruntime-web";

import { load } from "./mnistgen.mjs";

ort.env.wasm.numThreads = 1; // more threads need a cross-origin isolated page, and do not speed up one digit

const ARTIFACTS = new URL("../../artifacts/", import.meta.url);
const [model, seed, pad, paper, status, python] = ["model", "seed", "pad", "paper", "status", "python"].map((id) =>
  document.getElementById(id),
);
let generator; // a promise of the selected model
let digits = []; // digits on the page; undefined for unconditional models

function choose() {
  generator?.then((previous) => previous.close(), () => {}); // a load error was shown already
  say("Loading…");
  generator = load(model.value, { ort, artifacts: ARTIFACTS });
  const conditional = model.value === "cgan";
  const keys = conditional ? [..."0123456789"].map((digit) => [digit, Number(digit)]) : [["Draw", undefined]];
  pad.replaceChildren(...keys.map(([text, digit]) => key(text, () => draw(digit))), key("Clear", clear));
  clear();
  generator.then(() => say("Ready: press a key."), showError);
}

function key(text, press) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", press);
  return button;
}

function clear() {
  digits = [];
  paper.replaceChildren();
  describe();
}

async function draw(digit) {
  try {
    const started = performance.now();
    const options = { digit, seed: seedValue(), start: digits.length };
    const canvas = place(digit);
    ink(canvas, await (await generator).generate(1, options));
    say(`Drew ${digit ?? "a digit"} in ${Math.round(performance.now() - started)} ms.`);
  } catch (error) {
    showError(error);
  }
}

/** Append a canvas before the digit is drawn, so that quick key presses keep their order. */
function place(digit) {
  const element = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", `${digit ?? "a digit"}, handwritten`);
  paper.append(element);
  digits.push(digit);
  describe();
  return element;
}

function ink(canvas, image) {
  const pixels = new Uint8ClampedArray(4 * image.length).fill(255); // red, green, blue, opacity
  image.forEach((level, i) => pixels.fill(level, 4 * i, 4 * i + 3));
  canvas.getContext("2d").putImageData(new ImageData(pixels, 28, 28), 0, 0);
}

function seedValue() {
  if (!seed.checkValidity()) throw new RangeError("The seed must be an integer from 0 to 18446744073709551615.");
  return BigInt(seed.value);
}

/** Show the Python call that draws the same digits. */
function describe() {
  const argument = model.value === "cgan" && digits.length ? `digit=[${digits.join(", ")}], ` : "";
  python.textContent = `mnistgen.load("${model.value}").generate(${digits.length || 1}, ${argument}seed=${seed.value})`;
}

function say(sentence) {
  status.textContent = sentence;
}

function showError(error) {
  say(error.message);
}

model.addEventListener("change", choose);
seed.addEventListener("input", clear);
document.getElementById("options").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  const elsewhere = event.target.closest("input, select") || event.ctrlKey || event.metaKey || event.altKey;
  if (!elsewhere && model.value === "cgan" && /^[0-9]$/.test(event.key)) draw(Number(event.key));
});
choose();
