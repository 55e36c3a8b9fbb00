/** The page: ten digits at first; each key press appends another. They are images 0, 1, 2… of the seed. */

import * as ort from "onnxruntime-web";

import { PIXELS, load } from "./mnistgen.mjs";

ort.env.wasm.numThreads = 1; // more threads need a cross-origin isolated page, and do not speed up one digit

const ARTIFACTS = new URL("../../artifacts/", import.meta.url);
const [model, seed, pad, paper, status, python] = ["model", "seed", "pad", "paper", "status", "python"].map((id) =>
  document.getElementById(id),
);
let generator; // a promise of the selected model
let digits = []; // digits on the page; undefined for unconditional models

/** Load the selected model and draw ten digits. */
function choose() {
  generator?.then((previous) => previous.close(), () => {}); // a load error was shown already
  say("Loading…");
  generator = load(model.value, { ort, artifacts: ARTIFACTS });
  generator.catch(showError); // even if draw() stops at an invalid seed
  const conditional = model.value === "cgan";
  const keys = conditional ? [..."0123456789"].map((digit) => [digit, Number(digit)]) : [["Draw", undefined]];
  pad.replaceChildren(...keys.map(([text, digit]) => key(text, () => append(digit))), key("Clear", clear));
  paper.replaceChildren();
  digits = Array.from({ length: 10 }, (_, i) => (conditional ? i : undefined));
  draw();
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
  paper.replaceChildren(); // even if draw() stops at an invalid seed
  draw();
}

function append(digit) {
  if (seed.checkValidity()) digits.push(digit); // else draw() shows the error
  draw(digits.length - 1);
}

/** Draw the digits on the page again, or only those from number `start` on. */
async function draw(start = 0) {
  try {
    const options = { seed: seedValue(), start };
    const drawn = digits.slice(start);
    const canvases = drawn.map(newCanvas);
    paper.replaceChildren(...[...paper.children].slice(0, start), ...canvases); // before the await: keeps their order
    describe();
    if (!drawn.length) return say("Press a key.");
    if (model.value === "cgan") options.digit = drawn;
    const gen = await generator;
    const started = performance.now();
    const images = await gen.generate(drawn.length, options);
    canvases.forEach((canvas, i) => ink(canvas, images.subarray(i * PIXELS, (i + 1) * PIXELS)));
    if (!canvases[0].isConnected) return; // a later call has replaced them
    const what = drawn.length > 1 ? `${drawn.length} digits` : (drawn[0] ?? "a digit");
    say(`Drew ${what} of seed ${options.seed} in ${Math.round(performance.now() - started)} ms. Press a key to append a digit.`);
  } catch (error) {
    showError(error);
  }
}

function newCanvas(digit) {
  const element = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", `${digit ?? "a digit"}, handwritten`);
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
seed.addEventListener("input", () => draw());
document.getElementById("options").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  const elsewhere = event.target.closest("input, select") || event.ctrlKey || event.metaKey || event.altKey;
  if (!elsewhere && model.value === "cgan" && /^[0-9]$/.test(event.key)) append(Number(event.key));
});
choose();
