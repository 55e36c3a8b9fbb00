/**
 * Legible digits: a small classifier, the verifier, reads each image back and rejects it if it reads another digit.
 *
 * A rejected image is drawn again: attempt k at image i of seed s decodes the latent of key (s, k) and index i. So a
 * verified image depends only on its seed, index and digit.
 */

import { IllegibleError } from "./errors.js";

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

/**
 * Return the digit that a row of probabilities shows, and whether it is legible.
 *
 * @param {Float32Array} probabilities Ten for each image.
 * @param {number} row
 * @param {number | undefined} requested
 */
export function reading(probabilities, row, requested) {
  const ten = [...probabilities.subarray(row * CLASSES, (row + 1) * CLASSES)];
  const digit = requested ?? ten.indexOf(Math.max(...ten));
  return { digit, legible: ten[digit] >= Math.fround(THRESHOLD) };
}

/**
 * @param {import("./request.js").Request} request
 * @param {number} position
 */
export function illegible(request, position) {
  const digit = request.digitAt(position) ?? "any digit";
  const image = `Image ${request.start + BigInt(position)} of seed ${request.seed}`;
  const problem = `${image} was not read as ${digit} in ${MOST_ATTEMPTS} attempts by the ${request.model.name}`;
  return new IllegibleError(problem, { code: "illegible", remedy: "Use another seed, or do not verify" });
}
