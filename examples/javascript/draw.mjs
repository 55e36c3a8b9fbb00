/**
 * Draws digits in Node.js into a PNG: the same ones that mnistgen draws in Python for the same seed.
 *
 * Install (Node.js 20.15 or newer):  npm ci --prefix examples/javascript
 * Run:                               node examples/javascript/draw.mjs --model cgan --digit 5 --seed 7
 * More:                              node examples/javascript/draw.mjs --help
 */

import { rename, rm, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { load } from "./mnistgen.mjs";
import { encodePng, grid } from "./png.mjs";

const HELP = `Usage: node draw.mjs [options]

  --model NAME        vae, gan, cgan or cgan-int8 (cgan)
  --digit 0-9         what to draw (cgan only); without it the digits in turn
  --n COUNT           how many, up to 1000 (1)
  --seed NUMBER       same seed, same digits (0)
  --start INDEX       the seed's image to begin with (0)
  --scale FACTOR      enlargement, up to 64 (8)
  --out FILE          PNG to write (digits.png)
  --artifacts FOLDER  where manifest.json and the models are (the checkout's)`;

const OPTIONS = {
  model: { type: "string", default: "cgan" },
  digit: { type: "string" },
  n: { type: "string", default: "1" },
  seed: { type: "string", default: "0" },
  start: { type: "string", default: "0" },
  scale: { type: "string", default: "8" },
  out: { type: "string", default: "digits.png" },
  artifacts: { type: "string" },
  help: { type: "boolean", short: "h" },
};

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(HELP);
  const [n, scale] = [small("--n", values.n, 1000), small("--scale", values.scale, 64)];
  const wish = { seed: integer("--seed", values.seed), start: integer("--start", values.start) };
  if (!/\.png$/i.test(values.out)) throw new RangeError(`${values.out} is no PNG file: give --out a name in .png.`);
  if (values.digit !== undefined) wish.digit = integer("--digit", values.digit);
  const artifacts = values.artifacts ? pathToFileURL(`${values.artifacts}/`) : new URL("../../artifacts/", import.meta.url);
  const gen = await load(values.model, { ort: await runtime(), artifacts });
  const images = await gen.generate(n, wish);
  await write(values.out, encodePng(grid(images, n, scale)));
  console.log(`${values.out}  seed ${wish.seed}  ${values.model}`);
}

async function runtime() {
  process.env.ORT_DISABLE_TELEMETRY = "1"; // read when it is imported
  try {
    return await import("onnxruntime-node");
  } catch (error) {
    throw new Error(`onnxruntime-node cannot be imported (${error.code}): npm ci --prefix examples/javascript.`);
  }
}

/** Write all of it, or nothing. */
async function write(path, content) {
  const beside = `${path}.part`;
  try {
    await writeFile(beside, content);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {}); // where it cannot be deleted it could not be made either
    throw new Error(`${path} cannot be written (${error.code}): name another file with --out.`);
  }
}

/** A whole number of any size, since seeds go up to 2⁶⁴ - 1. */
function integer(option, text) {
  if (!/^-?\d{1,30}$/.test(text)) throw new RangeError(`${option} ${text} is not a whole number.`);
  return BigInt(text);
}

function small(option, text, most) {
  const number = integer(option, text);
  if (number < 1n || number > most) throw new RangeError(`${option} ${text} is not a whole number from 1 to ${most}.`);
  return Number(number);
}

main().catch((error) => {
  console.error(`draw.mjs: ${error.message.replaceAll(/\s+/g, " ")}`);
  process.exitCode = error instanceof RangeError || error.code?.startsWith("ERR_PARSE_ARGS") ? 2 : 1;
});
