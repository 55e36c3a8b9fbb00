/**
 * Legible digits: a small classifier, the verifier, reads each image back and rejects it if it reads another digit.
 *
 * A rejected image is drawn again: attempt k at image i of seed s decodes the latent of key (s, k) and index i. So a
 * verified image depends only on its seed, index and digit.
 *
 * The latents of the GAN and the VAE tell which digit comes. Attempts at another digit are counted, but not drawn.
 */

import { levels, PIXELS, runChunks } from "./engine.js";
import { ArtifactError, IllegibleError } from "./errors.js";
import { mayShow, tellsDigits } from "./latent-digits.js";
import { readVerified } from "./model.js";
import { range } from "./request.js";
import { Session } from "./runtime.js";
import { SIDE } from "./text.js";

/** Probability of the requested digit from which an image is accepted. */
export const THRESHOLD = 0.9995;
/** Maximum number of attempts at an image; an unconditional model needs ten on average for a requested digit. */
export const MOST_ATTEMPTS = 300;
const CLASSES = 10;

/**
 * @typedef {object} Verified Images that the verifier reads as the requested digits.
 * @property {Uint8Array<ArrayBuffer>} images n × 28 × 28, ink 255.
 * @property {number[]} digits The digit that the verifier reads: the requested one, if any.
 * @property {number[]} attempts Attempts for each image; 1 means that `generate` draws the same image.
 * @property {bigint} seed Seed of the images, also if it was random.
 */

/** The classifier of a model, opened when it is first needed. */
export class Verifier {
  #ort;
  #model;
  /** @type {Promise<Session> | undefined} */
  #session;

  /**
   * @param {import("./runtime.js").Ort} ort
   * @param {import("./model.js").Model} model
   */
  constructor(ort, model) {
    this.#ort = ort;
    this.#model = model;
  }

  /**
   * Return the probability of each digit, n × 10.
   *
   * @param {Uint8Array} images n × 28 × 28, ink 255.
   * @param {AbortSignal} [signal]
   */
  async read(images, signal) {
    const session = await (this.#session ??= this.#open());
    const n = images.length / PIXELS;
    const probabilities = new Float32Array(n * CLASSES);
    const inputs = (/** @type {number} */ at, /** @type {number} */ size) => ({
      image: Float32Array.from(images.subarray(at * PIXELS, (at + size) * PIXELS), (level) => level / 255),
    });
    await runChunks(session, n, inputs, (ten, at) => probabilities.set(ten, at * CLASSES), signal);
    return probabilities;
  }

  async close() {
    const session = await this.#session?.catch(() => undefined); // its error was thrown where it was needed
    await session?.close();
  }

  async #open() {
    try {
      const { name, verifier } = this.#model;
      if (verifier) return await Session.open(this.#ort, await readVerified(verifier, {}), [1, SIDE, SIDE]);
      const remedy = "Generate without verification";
      throw new ArtifactError(`The ${name} has no verifier`, { code: "verifier-missing", remedy });
    } catch (error) {
      this.#session = undefined; // so that another try is possible
      throw error;
    }
  }
}

/**
 * Draw the images of a request until the verifier reads each as its digit.
 *
 * @param {Session} session
 * @param {Verifier} verifier
 * @param {import("./request.js").Request} request
 * @param {AbortSignal} [signal]
 * @returns {Promise<Verified>}
 */
export async function drawVerified(session, verifier, request, signal) {
  const images = new Uint8Array(request.n * PIXELS);
  const [digits, attempts] = [Array(request.n).fill(0), Array(request.n).fill(0)];
  const accepted = new Set();
  let pending = range(0, request.n);
  for (let attempt = 0; pending.length; attempt++) {
    if (attempt === MOST_ATTEMPTS) throw illegible(request, pending[0]);
    const drawable = pending.filter((position) => mayShowDigit(request, position, attempt));
    if (!drawable.length) continue;
    const drawn = await drawAttempt(session, request, drawable, attempt, signal);
    const probabilities = await verifier.read(drawn, signal);
    drawable.forEach((position, i) => {
      const { digit, legible } = reading(probabilities, i, request.digitAt(position));
      images.set(drawn.subarray(i * PIXELS, (i + 1) * PIXELS), position * PIXELS);
      [digits[position], attempts[position]] = [digit, attempt + 1];
      if (legible) accepted.add(position);
    });
    pending = pending.filter((position) => !accepted.has(position));
  }
  return { images, digits, attempts, seed: request.seed };
}

/**
 * Return whether an image may show its requested digit, by its latent. The verifier would reject any other.
 *
 * @param {import("./request.js").Request} request
 * @param {number} position
 * @param {number} attempt
 */
function mayShowDigit(request, position, attempt) {
  const digit = request.digitAt(position);
  if (digit === undefined || !tellsDigits(request.model)) return true;
  return mayShow(request.model, request.inputs([position], attempt).z, digit);
}

/**
 * @param {Session} session
 * @param {import("./request.js").Request} request
 * @param {number[]} positions
 * @param {number} attempt
 * @param {AbortSignal} [signal]
 */
function drawAttempt(session, request, positions, attempt, signal) {
  const inputs = (/** @type {number} */ at, /** @type {number} */ size) =>
    request.inputs(positions.slice(at, at + size), attempt);
  return levels(session, positions.length, inputs, signal);
}

/**
 * Return the digit that a row of probabilities shows, and whether it is legible.
 *
 * @param {Float32Array} probabilities Ten for each image.
 * @param {number} row
 * @param {number | undefined} requested
 */
function reading(probabilities, row, requested) {
  const ten = [...probabilities.subarray(row * CLASSES, (row + 1) * CLASSES)];
  const digit = requested ?? ten.indexOf(Math.max(...ten));
  return { digit, legible: ten[digit] >= Math.fround(THRESHOLD) };
}

/**
 * @param {import("./request.js").Request} request
 * @param {number} position
 */
function illegible(request, position) {
  const digit = request.digitAt(position) ?? "any digit";
  const image = `Image ${request.start + BigInt(position)} of seed ${request.seed}`;
  const problem = `${image} was not read as ${digit} in ${MOST_ATTEMPTS} attempts by the ${request.model.name}`;
  return new IllegibleError(problem, { code: "illegible", remedy: "Use another seed, or do not verify" });
}
