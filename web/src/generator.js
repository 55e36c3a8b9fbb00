/** The generator of digits: each public method validates, then delegates. */

import { levels, PIXELS, runChunks } from "./engine.js";
import { InputError } from "./errors.js";
import { latentGrid } from "./interpolation.js";
import { checkImages, columnCount, grid, Picture } from "./picture.js";
import { part, range, Request, unconditional } from "./request.js";
import { checkText, digitsOf, layOut } from "./text.js";
import { checkOptions, count, digitList, matrix } from "./validation.js";
import { drawVerified, Verifier } from "./verify.js";
import { manifoldSide, walkInputs, walkRequest } from "./walk.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./request.js").ImageOptions & { signal?: AbortSignal }} GenerateOptions */
/** @typedef {import("./request.js").Inputs} Inputs */

const SERIES = ["seed", "start", "signal"];
const IMAGES = ["digit", ...SERIES];

/** A model that generates digits, created by `load`. */
export class Generator {
  #session;
  #verifier;
  /** @type {Promise<void> | undefined} */
  #closing;
  /** @type {Set<Promise<unknown>>} */
  #running = new Set();

  /**
   * @param {import("./runtime.js").Ort} ort
   * @param {Model} model
   * @param {import("./runtime.js").Session} session
   */
  constructor(ort, model, session) {
    this.#session = session;
    this.#verifier = new Verifier(ort, model);
    /** Facts about the model. */
    this.model = model;
  }

  /**
   * Generate the images `start` to `start` + `n` - 1 of `seed`.
   *
   * @param {number} [n] Number of images, at most 1,000,000.
   * @param {GenerateOptions & { verify?: boolean }} [options] `verify` gives the images of `generateVerified`.
   * @returns {Promise<Uint8Array<ArrayBuffer>>} n × 28 × 28, row by row, ink 255.
   */
  async generate(n = 1, options = {}) {
    this.#checkCall("generate", options, [...IMAGES, "verify"]);
    const { verify, ...others } = options;
    if (verify) return (await this.generateVerified(n, others)).images;
    return this.#track(this.#draw(new Request(this.model, n, options), options.signal));
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
    this.#checkCall("generateVerified", options, IMAGES);
    const request = new Request(this.model, n, options, true);
    return this.#track(drawVerified(this.#session, this.#verifier, request, options.signal));
  }

  /**
   * Return the probability of each digit, as the verifier reads images.
   *
   * @param {Uint8Array} images n × 28 × 28, ink 255.
   * @returns {Promise<Float32Array>} n × 10.
   */
  async read(images) {
    this.#checkOpen();
    checkImages(images);
    return this.#track(this.#verifier.read(images));
  }

  /**
   * Generate the images of `generate` in blocks of up to 256: any number in little memory.
   *
   * @param {number} n Number of images.
   * @param {GenerateOptions} [options]
   * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void>} Blocks, each b × 28 × 28.
   */
  stream(n, options = {}) {
    this.#checkCall("stream", options, IMAGES);
    return this.#blocks(new Request(this.model, n, options, false, Number.MAX_SAFE_INTEGER), options.signal);
  }

  /**
   * @param {Request} request
   * @param {AbortSignal} [signal]
   */
  async *#blocks(request, signal) {
    for (let first = 0; first < request.n; first += 256) {
      this.#checkOpen();
      yield await this.#track(this.#draw(request, signal, first, Math.min(first + 256, request.n)));
    }
  }

  /**
   * Draw digits as a picture: in rows of ten, unless `columns` says otherwise.
   *
   * @param {number | number[]} [digit] One digit, or several, which repeat until there are `n`.
   * @param {Omit<GenerateOptions, "digit"> & { n?: number, columns?: number, verify?: boolean }} [options] `verify`
   *   draws illegible digits again.
   */
  async draw(digit, options = {}) {
    this.#checkCall("draw", options, ["n", "columns", "verify", ...SERIES]);
    const { n, columns, ...others } = options;
    columnCount(columns); // before drawing
    const given = digit === undefined ? undefined : digitList("digit", digit, 10);
    const total = count(n ?? given?.length ?? 1);
    const digits = given && Array.from({ length: total }, (_, i) => given[i % given.length]);
    const { images, ...facts } = await this.#drawOrVerify(total, { ...others, digit: digits });
    return new Picture({ ...grid(images, { columns }), ...facts });
  }

  /**
   * Write a number or date in handwriting.
   *
   * @param {string | number} text At least one digit, with spaces and - . : / , + between digits.
   * @param {Omit<GenerateOptions, "digit"> & { verify?: boolean }} [options] With `verify`, every model can write.
   */
  async text(text, options = {}) {
    this.#checkCall("text", options, ["verify", ...SERIES]);
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
      throw new InputError(
        `label has ${inputs.label.length} values; expected ${n * classes}, ${classes} for each latent`,
        { code: "invalid-label" },
      );
    }
    const images = new Float32Array(n * PIXELS);
    await this.#track(
      runChunks(
        this.#session,
        n,
        (at, size) => part(inputs, n, at, size),
        (ink, at) => images.set(ink, at * PIXELS),
      ),
    );
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
    this.#checkCall("walk", options, ["seeds", "digits", "frames", "loop", "signal"]);
    const walk = walkRequest(this.model, options);
    const inputs = walkInputs(this.model, walk);
    const drawn = levels(this.#session, walk.length, (at, size) => part(inputs, walk.length, at, size), options.signal);
    const frames = await this.#track(drawn);
    return { frames, length: walk.length, seeds: walk.seeds, digits: this.model.classes ? walk.digits : undefined };
  }

  /**
   * Decode a grid of latents that covers the VAE's plane at evenly spaced quantiles of the unit normal.
   *
   * @param {number} [side] Images per row and per column.
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>} side² × 28 × 28, ink 255, in rows from the top left.
   */
  async manifold(side = 20, options = {}) {
    this.#checkCall("manifold", options, ["signal"]);
    const across = manifoldSide(this.model, side);
    const inputs = { z: latentGrid(across) };
    const n = across ** 2;
    return this.#track(levels(this.#session, n, (at, size) => part(inputs, n, at, size), options.signal));
  }

  /** Free the memory after running calls have finished. Later calls throw an InputError. */
  close() {
    return (this.#closing ??= this.#release());
  }

  async #release() {
    await Promise.allSettled(this.#running);
    await Promise.all([this.#session.close(), this.#verifier.close()]);
  }

  /**
   * @param {string} call
   * @param {object} options
   * @param {string[]} names
   */
  #checkCall(call, options, names) {
    this.#checkOpen();
    checkOptions(call, options, names);
  }

  #checkOpen() {
    if (!this.#closing) return;
    const remedy = "Load it again";
    throw new InputError(`The generator of the ${this.model.name} is closed`, { code: "generator-closed", remedy });
  }

  /**
   * @param {number} n
   * @param {GenerateOptions & { verify?: boolean }} options
   */
  async #drawOrVerify(n, { verify, ...options }) {
    if (verify) return this.generateVerified(n, options);
    const request = new Request(this.model, n, options);
    const images = await this.#track(this.#draw(request, options.signal));
    return { images, digits: request.digitsAt(range(0, n)), seed: request.seed };
  }

  /**
   * Remember a call until it ends, so that `close` can wait for it.
   *
   * @template T
   * @param {Promise<T>} call
   */
  #track(call) {
    this.#running.add(call);
    const forget = () => this.#running.delete(call);
    call.then(forget, forget);
    return call;
  }

  /**
   * @param {Request} request
   * @param {AbortSignal} [signal]
   */
  #draw(request, signal, first = 0, stop = request.n) {
    return levels(this.#session, stop - first, (at, size) => request.inputs(range(first + at, size)), signal);
  }
}
