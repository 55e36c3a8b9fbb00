/**
 * mnistgen in JavaScript: the digits that Python draws for the same seed, in a browser or in Node.js.
 *
 *     import * as ort from "onnxruntime-web"; // or "onnxruntime-node"
 *     import { load } from "./mnistgen.mjs";
 *
 *     const gen = await load("cgan", { ort, artifacts: new URL("artifacts/", location.href) });
 *     const images = await gen.generate(3, { digit: 5, seed: 7 }); // Uint8Array of 3 × 28 × 28, ink 255
 *
 * What is wrong is told by a RangeError (a value that is not possible) or an Error, in a sentence.
 */

import { INDEX_END, SEED_END, latents } from "./latents.mjs";

/** Pixels of an image. */
export const PIXELS = 28 * 28;
const SCHEMA = 1;
const CHUNK = 16; // images in one run: enough to fill matrix products, few enough to stay in caches
const MOST = 1_000_000; // images at once, in 784 MB

/**
 * The generator called `name`, run by `ort` (onnxruntime-web or -node), from the folder at the URL `artifacts`.
 *
 * The folder holds manifest.json and the models; a model is hashed before it is opened, from the same bytes.
 */
export async function load(name, { ort, artifacts }) {
  const manifest = JSON.parse(new TextDecoder().decode(await read(new URL("manifest.json", artifacts))));
  if (Number.parseInt(manifest.schema) !== SCHEMA) {
    throw new Error(`The manifest has schema ${manifest.schema}, and this program reads ${SCHEMA}.x: take its release.`);
  }
  if (!Object.hasOwn(manifest.models, name)) {
    throw new RangeError(`There is no model "${name}": choose one of ${Object.keys(manifest.models).join(", ")}.`);
  }
  const model = { name, ...manifest.models[name] };
  const bytes = await read(new URL(model.file, artifacts));
  if ((await sha256(bytes)) !== model.sha256) {
    throw new Error(`The model ${model.file} is damaged (its SHA-256 is not the manifest's): fetch it anew.`);
  }
  return new Generator(ort, model, await ort.InferenceSession.create(bytes, { executionProviders: [provider(ort)] }));
}

/** A model that draws: make one with `load`. `model` is what the manifest says of it. */
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
   * The images `start` to `start` + `n` - 1 of `seed`, a Uint8Array of n × 28 × 28, row by row, ink 255.
   *
   * `digit` is a number from 0 to 9 for all images, or an array with one for each; without it the cgan's image i shows
   * i modulo 10. `seed` and `start` are numbers, or BigInts beyond 2⁵³. Throws a RangeError for impossible values.
   */
  async generate(n = 1, { digit, seed = 0, start = 0 } = {}) {
    const count = Number(whole("the count n", n, BigInt(MOST) + 1n, 1n));
    const [key, first] = [whole("a seed", seed, SEED_END), whole("start", start, INDEX_END)];
    if (first + BigInt(count) > INDEX_END) {
      throw new RangeError(`A seed has ${INDEX_END} images: start ${first} and count ${count} go beyond them.`);
    }
    const digits = this.#digits(count, digit, first);
    const pixels = new Uint8ClampedArray(count * PIXELS); // rounds as it is written, halves to even
    for (let i = 0; i < count; i += CHUNK) {
      const size = Math.min(CHUNK, count - i);
      const z = latents(size, this.model.latent_size, key, first + BigInt(i));
      pixels.set((await this.#run(size, z, digits?.slice(i, i + size))).map((ink) => ink * 255), i * PIXELS);
    }
    return new Uint8Array(pixels.buffer);
  }

  /** Let go of the model's memory, once what is being drawn is done. */
  async close() {
    await this.#last;
    await this.#session.release();
  }

  /** What each of `n` images shall show, or undefined where the model takes no digit. */
  #digits(n, digit, start) {
    const classes = this.model.classes;
    if (!classes) {
      if (digit === undefined) return undefined;
      throw new RangeError(`The ${this.model.name} draws whatever comes, no digit that is asked for: the cgan does.`);
    }
    if (digit === undefined) return Array.from({ length: n }, (_, i) => Number((start + BigInt(i)) % BigInt(classes)));
    const asked = Array.isArray(digit) ? digit : Array(n).fill(digit);
    if (asked.length !== n) {
      throw new RangeError(`digit names ${asked.length} digits for ${n} images: give one for all, or one for each.`);
    }
    return asked.map((one) => Number(whole("a digit", one, BigInt(classes))));
  }

  /** Latents (n × latent) and digits (n) → ink in [0, 1] (n × 28 × 28), one run after the other. */
  #run(n, z, digits) {
    const { model } = this;
    const feed = { z: new this.#ort.Tensor("float32", z, [n, model.latent_size]) };
    if (digits) {
      const label = new Float32Array(n * model.classes); // one-hot
      digits.forEach((digit, i) => (label[i * model.classes + digit] = 1));
      feed.label = new this.#ort.Tensor("float32", label, [n, model.classes]);
    }
    const run = this.#last.then(() => this.#session.run(feed));
    this.#last = run.catch(() => {}); // a failure is told to who asked for it, and to nobody else
    return run.then(({ image }) => image.data);
  }
}

/** The CPU, as either package calls it. */
function provider(ort) {
  return ort.env.versions.node ? "cpu" : "wasm";
}

/** `value` as a BigInt; throws a RangeError unless it is a whole number from `least` to `end` - 1. */
function whole(what, value, end, least = 0n) {
  const number = Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof number !== "bigint" || number < least || number >= end) {
    const beyond = Number.isInteger(value) && !Number.isSafeInteger(value) ? ", as a BigInt beyond 2⁵³" : "";
    throw new RangeError(`${value} is not ${what}: that is a whole number from ${least} to ${end - 1n}${beyond}.`);
  }
  return number;
}

/** The bytes at `url`, which may be a file's in Node.js. */
async function read(url) {
  try {
    if (url.protocol === "file:") return await (await import("node:fs/promises")).readFile(url);
    const response = await fetch(url);
    if (!response.ok) throw new Error(response.status);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const reason = error.code ?? error.cause?.code ?? error.message;
    throw new Error(`${url} cannot be read (${reason}): see that the artifacts are there.`, { cause: error });
  }
}

async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) {
    throw new Error("The browser hashes models on secure pages only: serve this one by https, or from localhost.");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
