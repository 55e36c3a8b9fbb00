/** What a call asks for, validated once, and the model's inputs for any of its images. */

import { InputError } from "./errors.js";
import { latents } from "./latents.js";
import { count, digitList, MOST_IMAGES, seedOf, startOf } from "./validation.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./validation.js").Whole} Whole */
/**
 * @typedef {object} ImageOptions
 * @property {number | number[]} [digit] Digit from 0 to 9: one for all images, or one for each. By default, image i of
 *   the CGAN shows i modulo 10.
 * @property {Whole} [seed] From 0 to 2⁶⁴ - 1; random by default.
 * @property {Whole} [start] Index of the first image; 0 by default.
 */

/** @typedef {Record<string, Float32Array>} Inputs The model's inputs, n × width each. */

/** The images `start` to `start` + `n` - 1 of `seed`. */
export class Request {
  /**
   * @param {Model} model
   * @param {number} n
   * @param {ImageOptions} options
   * @param {boolean} [verify] Accept a `digit` for unconditional models, too.
   * @param {number} [most] Maximum of `n`.
   */
  constructor(model, n, { digit, seed, start = 0 }, verify = false, most = MOST_IMAGES) {
    this.model = model;
    this.n = count(n, "n", most);
    this.seed = seedOf(seed);
    this.start = startOf(start, this.n);
    this.digits = digitsOf(model, this.n, digit, verify);
  }

  /**
   * Return the digits of the images at `positions`; undefined if the model draws any digit.
   *
   * @param {number[]} positions
   */
  digitsAt(positions) {
    if (this.digitAt(0) === undefined) return undefined;
    return positions.map((position) => /** @type {number} */ (this.digitAt(position)));
  }

  /** @param {number} position */
  digitAt(position) {
    if (this.digits !== undefined) return typeof this.digits === "number" ? this.digits : this.digits[position];
    const { classes } = this.model;
    return classes ? Number((this.start + BigInt(position)) % BigInt(classes)) : undefined;
  }

  /**
   * Return the model's inputs for an attempt at the images at `positions`.
   *
   * @param {number[]} positions
   * @param {number} [attempt]
   * @returns {Inputs} Latents `z` and, for a conditional model, one-hot rows `label`.
   */
  inputs(positions, attempt = 0) {
    const indices = positions.map((position) => this.start + BigInt(position));
    const z = latents(indices, this.model.latent_size, this.seed, attempt);
    const digits = this.digitsAt(positions);
    if (!digits || !this.model.classes) return { z };
    return { z, label: oneHot(digits, this.model.classes) };
  }
}

/**
 * Return labels (n × classes): 1 in the column of the digit, 0 elsewhere.
 *
 * @param {number[]} digits
 * @param {number} classes
 */
export function oneHot(digits, classes) {
  const label = new Float32Array(digits.length * classes);
  digits.forEach((digit, i) => (label[i * classes + digit] = 1));
  return label;
}

/**
 * Return the error for a digit or label given to a model that takes none.
 *
 * @param {Model} model
 */
export function unconditional(model) {
  const remedy = "Use the cgan to choose a digit, or generateVerified with any model";
  return new InputError(`The ${model.name} is unconditional`, { code: "model-unconditional", remedy });
}

/**
 * @param {Model} model
 * @param {number} n
 * @param {unknown} digit
 * @param {boolean} verify
 */
function digitsOf(model, n, digit, verify) {
  if (digit === undefined) return undefined;
  if (!model.classes && !verify) throw unconditional(model);
  const digits = digitList("digit", digit, model.classes || 10);
  const several = typeof digit === "object";
  if (several && digits.length !== n) {
    throw new InputError(`digit has ${digits.length} values for ${n} images; expected one for all, or one for each`, {
      code: "digit-count-mismatch",
    });
  }
  return several ? digits : digits[0];
}

/**
 * Return `size` integers from `first` on.
 *
 * @param {number} first
 * @param {number} size
 */
export function range(first, size) {
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
export function part(inputs, n, at, size) {
  const rows = (/** @type {Float32Array} */ values) =>
    values.slice((at * values.length) / n, ((at + size) * values.length) / n);
  return Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, rows(values)]));
}
