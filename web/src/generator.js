/** The generator of digits: each public method validates, then delegates. */

import { InputError } from "./errors.js";
import { latentGrid } from "./interpolation.js";
import { readVerified } from "./model.js";
import { grid, Picture } from "./picture.js";
import { Request, unconditional } from "./request.js";
import { Session } from "./runtime.js";
import { checkText, digitsOf, layOut, SIDE } from "./text.js";
import { count, digitList, matrix } from "./validation.js";
import { illegible, MOST_ATTEMPTS, reading } from "./verify.js";
import { manifoldSide, walkInputs, walkRequest } from "./walk.js";

/** Pixels of an image. */
export const PIXELS = SIDE * SIDE;
/** Images per run: large enough for matrix products, small enough for caches. */
const CHUNK = 16;
/** Milliseconds after which a long call lets the page draw and react. */
const PAUSE_MS = 16;

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./request.js").ImageOptions & { signal?: AbortSignal }} GenerateOptions */
/** @typedef {Record<string, Float32Array>} Inputs */

/** A model that generates digits, created by `load`. */
export class Generator {
  #ort;
  #session;
  /** @type {Promise<Session> | undefined} */
  #verifier;
  #closed = false;

  /**
   * @param {import("./runtime.js").Ort} ort
   * @param {Model} model
   * @param {Session} session
   */
  constructor(ort, model, session) {
    this.#ort = ort;
    this.#session = session;
    /** Facts about the model. */
    this.model = model;
  }

  /**
   * Generate the images `start` to `start` + `n` - 1 of `seed`.
   *
   * @param {number} [n] Number of images.
   * @param {GenerateOptions} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>} n × 28 × 28, row by row, ink 255.
   */
  async generate(n = 1, options = {}) {
    this.#checkOpen();
    return this.#draw(new Request(this.model, n, options), options.signal);
  }

  /**
   * Generate images that a classifier reads as the requested digits; others are drawn again. Every model takes a
   * `digit`. Without one, unconditional models may draw any legible digit.
   *
   * @param {number} [n] Number of images.
   * @param {GenerateOptions} [options]
   * @returns {Promise<import("./verify.js").Verified>}
   */
  async generateVerified(n = 1, options = {}) {
    this.#checkOpen();
    const request = new Request(this.model, n, options, true);
    const images = new Uint8Array(request.n * PIXELS);
    const [digits, attempts] = [Array(request.n).fill(0), Array(request.n).fill(0)];
    let pending = [...digits.keys()];
    for (let attempt = 0; pending.length; attempt++) {
      if (attempt === MOST_ATTEMPTS) throw illegible(request, pending[0]);
      const drawn = await this.#attempt(request, pending, attempt, options.signal);
      pending.forEach((position, i) => {
        images.set(drawn.images.subarray(i * PIXELS, (i + 1) * PIXELS), position * PIXELS);
        [digits[position], attempts[position]] = [drawn.readings[i].digit, attempt + 1];
      });
      pending = pending.filter((_, i) => !drawn.readings[i].legible);
    }
    return { images, digits, attempts, seed: request.seed };
  }

  /**
   * Return the probability of each digit, as the verifier reads images.
   *
   * @param {Uint8Array} images n × 28 × 28, ink 255.
   * @returns {Promise<Float32Array>} n × 10.
   */
  async read(images) {
    this.#checkOpen();
    const n = grid(images).pixels.length && images.length / PIXELS;
    const verifier = await (this.#verifier ??= this.#openVerifier());
    return verifier.run(n, { image: Float32Array.from(images, (level) => level / 255) }, [1, SIDE, SIDE]);
  }

  /**
   * Generate the images of `generate` in blocks of up to 256: any number in little memory.
   *
   * @param {number} n Number of images.
   * @param {GenerateOptions} [options]
   * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void>} Blocks, each b × 28 × 28.
   */
  async *stream(n, options = {}) {
    const request = new Request(this.model, n, options);
    for (let first = 0; first < request.n; first += 256) {
      this.#checkOpen();
      yield await this.#draw(request, options.signal, first, Math.min(first + 256, request.n));
    }
  }

  /**
   * Draw digits as a picture: in rows of ten, unless `columns` says otherwise.
   *
   * @param {number | number[]} [digit] One digit, or several, which repeat until there are `n`.
   * @param {Omit<GenerateOptions, "digit"> & { n?: number, columns?: number, verify?: boolean }} [options] `verify`
   *   draws illegible digits again.
   */
  async draw(digit, { n, columns, ...options } = {}) {
    const given = digit === undefined ? undefined : digitList("digit", digit, 10);
    const total = count(n ?? given?.length ?? 1);
    const digits = given && Array.from({ length: total }, (_, i) => given[i % given.length]);
    const { images, ...facts } = await this.#drawOrVerify(total, { ...options, digit: digits });
    return new Picture({ ...grid(images, { columns }), ...facts });
  }

  /**
   * Write a number or date in handwriting.
   *
   * @param {string | number} text At least one digit, with spaces and - . : / , + between digits.
   * @param {Omit<GenerateOptions, "digit"> & { verify?: boolean }} [options] With `verify`, every model can write.
   */
  async text(text, options = {}) {
    const written = checkText(text);
    const digits = digitsOf(written);
    const { images, ...facts } = await this.#drawOrVerify(digits.length, { ...options, digit: digits });
    return new Picture({ ...layOut(written, images), ...facts });
  }

  /**
   * Decode latents of your own.
   *
   * @param {ArrayLike<number> | ArrayLike<number>[]} z Latents, n × latent_size, flat or in rows.
   * @param {ArrayLike<number> | ArrayLike<number>[]} [label] Labels for the CGAN, n × 10: one-hot, or a mixture.
   * @returns {Promise<Float32Array<ArrayBuffer>>} Images n × 28 × 28 in [0, 1], ink 1.
   */
  async decode(z, label) {
    this.#checkOpen();
    const { latent_size: size, classes } = this.model;
    /** @type {Inputs} */
    const inputs = { z: matrix("z", z, size, "invalid-latent") };
    const n = inputs.z.length / size;
    if (!classes && label !== undefined) throw unconditional(this.model);
    if (classes) inputs.label = matrix("label", label, classes, "invalid-label");
    if (classes && inputs.label.length !== n * classes) {
      throw new InputError(`label has ${inputs.label.length} values; expected ${n * classes}, ${classes} for each latent`, { code: "invalid-label" });
    }
    const images = new Float32Array(n * PIXELS);
    await this.#chunks(n, (at, size) => part(inputs, n, at, size), (ink, at) => images.set(ink, at * PIXELS));
    return images;
  }

  /**
   * Interpolate from digit to digit. Stop i is what `generate` returns for the i-th seed and digit.
   *
   * @param {import("./walk.js").WalkOptions & { signal?: AbortSignal }} [options]
   * @returns {Promise<{ frames: Uint8Array<ArrayBuffer>, length: number, seeds: bigint[], digits: number[] | undefined }>}
   *   `frames` holds length × 28 × 28 levels, ink 255; stop i is frame i · `options.frames`.
   */
  async walk(options = {}) {
    this.#checkOpen();
    const walk = walkRequest(this.model, options);
    const inputs = walkInputs(this.model, walk);
    const frames = await this.#levels(walk.length, (at, size) => part(inputs, walk.length, at, size), options.signal);
    return { frames, length: walk.length, seeds: walk.seeds, digits: this.model.classes ? walk.digits : undefined };
  }

  /**
   * Decode a grid of latents that covers the VAE's plane at evenly spaced quantiles of the unit normal.
   *
   * @param {number} [side] Images per row and per column.
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>} side² × 28 × 28, ink 255, in rows from the top left.
   */
  async manifold(side = 20, { signal } = {}) {
    this.#checkOpen();
    const across = manifoldSide(this.model, side);
    const inputs = { z: latentGrid(across) };
    return this.#levels(across ** 2, (at, size) => part(inputs, across ** 2, at, size), signal);
  }

  /** Free the memory after pending calls have finished. Later calls throw an InputError. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    await this.#session.close();
    await this.#verifier?.then((verifier) => verifier.close(), () => {}); // its error was thrown where it was needed
  }

  #checkOpen() {
    if (!this.#closed) return;
    const remedy = "Load it again";
    throw new InputError(`The generator of the ${this.model.name} is closed`, { code: "generator-closed", remedy });
  }

  /**
   * @param {number} n
   * @param {GenerateOptions & { verify?: boolean }} options
   */
  async #drawOrVerify(n, { verify, ...options }) {
    if (verify) return this.generateVerified(n, options);
    this.#checkOpen();
    const request = new Request(this.model, n, options);
    const digits = request.digitAt(0) === undefined ? undefined : Array.from({ length: n }, (_, i) => Number(request.digitAt(i)));
    return { images: await this.#draw(request, options.signal), digits, seed: request.seed };
  }

  /**
   * @param {Request} request
   * @param {AbortSignal} [signal]
   */
  #draw(request, signal, first = 0, stop = request.n) {
    return this.#levels(stop - first, (at, size) => request.inputs(range(first + at, size)), signal);
  }

  /**
   * @param {Request} request
   * @param {number[]} positions
   * @param {number} attempt
   * @param {AbortSignal} [signal]
   */
  async #attempt(request, positions, attempt, signal) {
    const inputs = (/** @type {number} */ at, /** @type {number} */ size) => request.inputs(positions.slice(at, at + size), attempt);
    const images = await this.#levels(positions.length, inputs, signal);
    const probabilities = await this.read(images);
    return { images, readings: positions.map((position, i) => reading(probabilities, i, request.digitAt(position))) };
  }

  /**
   * @param {number} n
   * @param {(at: number, size: number) => Inputs} inputs
   * @param {AbortSignal} [signal]
   */
  async #levels(n, inputs, signal) {
    const levels = new Uint8ClampedArray(n * PIXELS); // rounds on assignment, half to even
    await this.#chunks(n, inputs, (ink, at) => levels.set(ink.map((value) => value * 255), at * PIXELS), signal);
    return new Uint8Array(levels.buffer);
  }

  /**
   * Run the model in chunks.
   *
   * @param {number} n
   * @param {(at: number, size: number) => Inputs} inputs Returns the inputs of the images from `at` on.
   * @param {(ink: Float32Array, at: number) => void} onChunk Takes ink in [0, 1], size × 28 × 28.
   * @param {AbortSignal} [signal]
   */
  async #chunks(n, inputs, onChunk, signal) {
    let since = performance.now();
    for (let at = 0; at < n; at += CHUNK) {
      signal?.throwIfAborted();
      const size = Math.min(CHUNK, n - at);
      onChunk(await this.#session.run(size, inputs(at, size)), at);
      if (performance.now() - since < PAUSE_MS) continue;
      await new Promise((resolve) => setTimeout(resolve)); // a run blocks the thread; its promise does not free it
      since = performance.now();
    }
  }

  async #openVerifier() {
    const { verifier } = this.model;
    if (!verifier) throw new InputError(`The ${this.model.name} has no verifier`, { code: "verifier-missing", remedy: "Generate without verification" });
    return Session.open(this.#ort, await readVerified(verifier, {}));
  }
}

/**
 * @param {number} first
 * @param {number} size
 */
function range(first, size) {
  return Array.from({ length: size }, (_, i) => first + i);
}

/**
 * Return the rows `at` to `at` + `size` - 1 of inputs with n rows.
 *
 * @param {Inputs} inputs
 * @param {number} n
 * @param {number} at
 * @param {number} size
 */
function part(inputs, n, at, size) {
  const rows = (/** @type {Float32Array} */ values) => values.slice((at * values.length) / n, ((at + size) * values.length) / n);
  return Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, rows(values)]));
}
