/**
 * mnistgen for browsers and Node.js. A seed gives the same digits as in Python.
 *
 *     import * as ort from "onnxruntime-web"; // or "onnxruntime-node"
 *     import { load } from "./mnistgen.mjs";
 *
 *     const gen = await load("cgan", { ort, artifacts: new URL("artifacts/", location.href) });
 *     const images = await gen.generate(3, { digit: 5, seed: 7 }); // Uint8Array of 3 × 28 × 28, ink 255
 *
 * Throws a RangeError for an invalid argument, and an Error for other failures. Messages are one sentence or two.
 */

import { INDEX_END, SEED_END, latents } from "./latents.mjs";

/** Pixels per image. */
export const PIXELS = 28 * 28;
const SCHEMA = 1;
const CHUNK = 16; // images per run: large enough for matrix products, small enough for caches
const MAX_IMAGES = 1_000_000; // per call, 784 MB

/**
 * Load the model `name` with `ort` (onnxruntime-web or -node) from the folder at the URL `artifacts`.
 *
 * The folder contains manifest.json and the models. The SHA-256 of a model is checked before a session is created.
 */
export async function load(name, { ort, artifacts }) {
  const manifest = JSON.parse(new TextDecoder().decode(await read(new URL("manifest.json", artifacts))));
  if (Number.parseInt(manifest.schema) !== SCHEMA) {
    throw new Error(`Manifest schema is ${manifest.schema}; expected ${SCHEMA}.x. Use the version of this file that matches.`);
  }
  if (!Object.hasOwn(manifest.models, name)) {
    throw new RangeError(`Model is "${name}"; expected one of ${Object.keys(manifest.models).join(", ")}.`);
  }
  const model = { name, ...manifest.models[name] };
  const bytes = await read(new URL(model.file, artifacts));
  if ((await sha256(bytes)) !== model.sha256) {
    throw new Error(`Model file ${model.file} does not match its SHA-256 in the manifest. Download it again.`);
  }
  return new Generator(ort, model, await ort.InferenceSession.create(bytes, { executionProviders: [provider(ort)] }));
}

/** An open model, created by `load`. `model` is its entry in the manifest. */
export class Generator {
  #ort;
  #session;
  #last = Promise.resolve();

  constructor(ort, model, session) {
    this.#ort = ort;
    this.#session = session;
    this.model = model;
  }

  /**
   * Draw images `start` to `start` + `n` - 1 of `seed`. Returns a Uint8Array of n × 28 × 28, row by row, ink 255.
   *
   * `digit` is a number from 0 to 9 for all images, or an array with one number per image. By default, image i of the
   * cgan is digit i modulo 10. `seed` and `start` are numbers, or BigInts above 2⁵³; without a seed, a random one is
   * used. Throws a RangeError for invalid values.
   */
  async generate(n = 1, { digit, seed = randomSeed(), start = 0 } = {}) {
    const count = Number(whole("n", n, BigInt(MAX_IMAGES) + 1n, 1n));
    const [key, first] = [whole("seed", seed, SEED_END), whole("start", start, INDEX_END)];
    if (first + BigInt(count) > INDEX_END) {
      throw new RangeError(`start + n is ${first + BigInt(count)}; expected at most ${INDEX_END}.`);
    }
    const digits = this.#digits(count, digit, first);
    const pixels = new Uint8ClampedArray(count * PIXELS); // rounds on assignment, half to even
    for (let i = 0; i < count; i += CHUNK) {
      const size = Math.min(CHUNK, count - i);
      const z = latents(size, this.model.latent_size, key, first + BigInt(i));
      pixels.set((await this.#run(size, z, digits?.slice(i, i + size))).map((ink) => ink * 255), i * PIXELS);
    }
    return new Uint8Array(pixels.buffer);
  }

  /** Free the model's memory after pending calls have finished. */
  async close() {
    await this.#last;
    await this.#session.release();
  }

  /** Return the digit of each image, or undefined if the model is unconditional. */
  #digits(n, digit, start) {
    const classes = this.model.classes;
    if (!classes) {
      if (digit === undefined) return undefined;
      throw new RangeError(`The ${this.model.name} is unconditional. Use the cgan to choose a digit.`);
    }
    if (digit === undefined) return Array.from({ length: n }, (_, i) => Number((start + BigInt(i)) % BigInt(classes)));
    const list = Array.isArray(digit) ? digit : Array(n).fill(digit);
    if (list.length !== n) {
      throw new RangeError(`digit has ${list.length} values; expected 1 or ${n}, one per image.`);
    }
    return list.map((one) => Number(whole("digit", one, BigInt(classes))));
  }

  /** Run latents (n × latent) and digits (n); resolves to ink in [0, 1] (n × 28 × 28). Runs are queued. */
  #run(n, z, digits) {
    const { model } = this;
    const feed = { z: new this.#ort.Tensor("float32", z, [n, model.latent_size]) };
    if (digits) {
      const label = new Float32Array(n * model.classes); // one-hot
      digits.forEach((digit, i) => (label[i * model.classes + digit] = 1));
      feed.label = new this.#ort.Tensor("float32", label, [n, model.classes]);
    }
    const run = this.#last.then(() => this.#session.run(feed));
    this.#last = run.catch(() => {}); // only the caller of this run gets its error
    return run.then(({ image }) => image.data);
  }
}

/** Return the name of the CPU provider in either package. */
function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

function provider(ort) {
  return ort.env.versions.node ? "cpu" : "wasm";
}

/** Return `value` as a BigInt; throw a RangeError unless it is an integer from `min` to `end` - 1. */
function whole(what, value, end, min = 0n) {
  const number = Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof number !== "bigint" || number < min || number >= end) {
    const hint = Number.isInteger(value) && !Number.isSafeInteger(value) ? " (as a BigInt above 2⁵³)" : "";
    throw new RangeError(`${what} is ${value}; expected an integer from ${min} to ${end - 1n}${hint}.`);
  }
  return number;
}

/** Return the bytes at `url`; in Node.js, it may be a file URL. */
async function read(url) {
  try {
    if (url.protocol === "file:") return await (await import("node:fs/promises")).readFile(url);
    const response = await fetch(url);
    if (!response.ok) throw new Error(response.status);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const reason = error.code ?? error.cause?.code ?? error.message;
    throw new Error(`Cannot read ${url} (${reason}). Check the path of the artifacts.`, { cause: error });
  }
}

async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) {
    throw new Error("SHA-256 is only available on secure pages. Serve this page over HTTPS or from localhost.");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
