/**
 * Write a PNG of digits in Node.js. A seed gives the same digits as in Python.
 *
 * Install (Node.js 20.16 or newer):  npm ci --prefix web
 * Run:                               node web/examples/draw.js --model cgan --digit 5 --seed 7
 * More:                              node web/examples/draw.js --help
 */

import { rm, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { grid, InputError, load } from "mnistgen";

const HELP = `Usage: node draw.js [options]

  --model NAME        vae, gan, cgan or cgan-int8 (cgan)
  --digit 0-9         digit to draw (cgan only); labels cycle through 0-9 by default
  --n COUNT           number of digits, at most 1000 (1)
  --seed NUMBER       random seed (0)
  --start INDEX       index of the first image (0)
  --scale FACTOR      pixels per image pixel, at most 64 (8)
  --out FILE          PNG to write, a new file (a name such as cgan-digit5-seed7.png)
  --artifacts FOLDER  folder of manifest.json and the models (those of the checkout)`;

const OPTIONS = {
  model: { type: "string", default: "cgan" },
  digit: { type: "string" },
  n: { type: "string", default: "1" },
  seed: { type: "string", default: "0" },
  start: { type: "string", default: "0" },
  scale: { type: "string", default: "8" },
  out: { type: "string" },
  artifacts: { type: "string" },
  help: { type: "boolean", short: "h" },
};

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(HELP);
  const [n, scale] = [small("--n", values.n, 1000), small("--scale", values.scale, 64)];
  const options = { seed: integer("--seed", values.seed), start: integer("--start", values.start) };
  if (values.digit !== undefined) options.digit = integer("--digit", values.digit);
  const path = values.out ?? defaultName(values.model, options);
  if (!/\.png$/i.test(path)) throw invalid(`--out is ${path}; expected a name that ends in .png`);
  const artifacts = values.artifacts
    ? pathToFileURL(`${values.artifacts}/`)
    : new URL("../../artifacts/", import.meta.url);
  const gen = await load(values.model, { ort: await runtime(), artifacts });
  const images = await gen.generate(n, options);
  await write(path, grid(images).toPng({ scale }));
  console.log(`${path}  seed ${options.seed}  ${values.model}`);
}

async function runtime() {
  process.env.ORT_DISABLE_TELEMETRY = "1"; // read on import
  try {
    return await import("onnxruntime-node");
  } catch (error) {
    throw new Error(`Cannot import onnxruntime-node (${error.code}). Run npm ci --prefix web.`);
  }
}

/** Write a new file as a whole; an existing file is an error. */
async function write(path, content) {
  try {
    await writeFile(path, content, { flag: "wx" });
  } catch (error) {
    if (error.code === "EEXIST") throw new Error(`${path} exists. Choose another file with --out.`);
    await rm(path, { force: true }).catch(() => {}); // the part that was written
    throw new Error(`Cannot write ${path} (${error.code}). Choose another file with --out.`);
  }
}

function defaultName(model, { digit, seed }) {
  return `${model}-${digit === undefined ? "" : `digit${digit}-`}seed${seed}.png`;
}

/** Parse an integer of any size; seeds go up to 2⁶⁴ - 1. */
function integer(option, text) {
  if (!/^-?\d{1,30}$/.test(text)) throw invalid(`${option} is ${text}; expected an integer`);
  return BigInt(text);
}

function small(option, text, max) {
  const number = integer(option, text);
  if (number < 1n || number > max) throw invalid(`${option} is ${text}; expected an integer from 1 to ${max}`);
  return Number(number);
}

function invalid(problem) {
  return new InputError(problem, { code: "usage" });
}

main().catch((error) => {
  console.error(`draw.js: ${error.message.replaceAll(/\s+/g, " ")}`);
  process.exitCode = error instanceof InputError || error.code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
});
