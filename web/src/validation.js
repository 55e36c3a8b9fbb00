/** Checks of arguments. Each returns the value in one form, or throws an InputError. */

import { InputError } from "./errors.js";
import { INDEX_END, SEED_END, randomSeed } from "./latents.js";

/** Images of one call at most: 784 MB. */
export const MOST_IMAGES = 1_000_000;
const MOST_LATENT = 1e6;

/** @typedef {number | bigint | string} Whole A 64-bit integer: a number, a BigInt, or a string of digits. */

/**
 * Return an integer from `min` to `end` - 1 as a BigInt.
 *
 * Strings are accepted because URLs and JSON carry 64-bit integers as strings.
 *
 * @param {string} what Name of the argument.
 * @param {unknown} value
 * @param {bigint} end
 * @param {{ code: string, min?: bigint }} options
 */
export function whole(what, value, end, { code, min = 0n }) {
  const number = toBigInt(value);
  if (number === undefined || number < min || number >= end) {
    const hint = Number.isInteger(value) && !Number.isSafeInteger(value) ? " (as a BigInt or string above 2⁵³)" : "";
    throw new InputError(`${what} is ${shown(value)}; expected an integer from ${min} to ${end - 1n}${hint}`, { code });
  }
  return number;
}

/** @param {unknown} value */
function toBigInt(value) {
  if (typeof value === "bigint") return value;
  if (Number.isSafeInteger(value)) return BigInt(/** @type {number} */ (value));
  if (typeof value === "string" && /^\d{1,20}$/.test(value)) return BigInt(value);
  return undefined;
}

/**
 * Check that options have known names only. A misspelled option would have no effect.
 *
 * @param {string} call
 * @param {unknown} options
 * @param {string[]} names
 */
export function checkOptions(call, options, names) {
  const expected = `expected an object with any of ${names.join(", ")}`;
  const code = "option-conflict";
  if (typeof options !== "object" || options === null) {
    throw new InputError(`The options of ${call} are ${shown(options)}; ${expected}`, { code });
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new InputError(`${call} has no option ${shown(unknown)}; ${expected}`, { code });
}

/**
 * Return a URL; strings are relative to the page.
 *
 * @param {string} what Name of the argument.
 * @param {unknown} value
 * @param {string} expected
 * @param {string} [remedy]
 */
export function urlOf(what, value, expected, remedy) {
  try {
    return new URL(/** @type {string} */ (value), globalThis.location?.href);
  } catch (cause) {
    throw new InputError(`${what} is ${shown(value)}; expected ${expected}`, { code: "invalid-path", remedy, cause });
  }
}

/**
 * Show a value in an error message, shortened.
 *
 * @param {unknown} value
 */
export function shown(value) {
  const text = typeof value === "string" ? JSON.stringify(value) : textOf(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** @param {unknown} value */
function textOf(value) {
  try {
    return Array.isArray(value) ? `[${value}]` : String(value);
  } catch {
    return `of type ${typeof value}`; // an object without toString, or an array of symbols
  }
}

/**
 * Return a number of images, frames or columns.
 *
 * @param {unknown} n
 * @param {string} [what]
 * @param {number} [most]
 */
export function count(n, what = "n", most = MOST_IMAGES) {
  return Number(whole(what, n, BigInt(most) + 1n, { code: "invalid-count", min: 1n }));
}

/** @param {unknown} seed A random one if undefined. */
export function seedOf(seed) {
  return seed === undefined ? randomSeed() : whole("seed", seed, SEED_END, { code: "invalid-seed" });
}

/**
 * Return the index of the first image as a BigInt.
 *
 * @param {unknown} start
 * @param {number} n Number of images.
 */
export function startOf(start, n) {
  const first = whole("start", start, INDEX_END, { code: "invalid-start" });
  if (first + BigInt(n) > INDEX_END) {
    throw new InputError(`start + n is ${first + BigInt(n)}; expected at most ${INDEX_END}`, { code: "invalid-start" });
  }
  return first;
}

/**
 * Return one digit, or several, as an array.
 *
 * @param {string} what Name of the argument.
 * @param {unknown} digits A digit, or an array of at least one.
 * @param {number} classes
 */
export function digitList(what, digits, classes) {
  const list = Array.isArray(digits)
    ? digits
    : ArrayBuffer.isView(digits)
      ? Array.from(/** @type {any} */ (digits))
      : [digits];
  if (!list.length) throw new InputError(`${what} is empty; expected at least one digit`, { code: "invalid-digit" });
  return list.map((digit) => Number(whole(what, digit, BigInt(classes), { code: "invalid-digit" })));
}

/**
 * Return rows of numbers as one Float32Array.
 *
 * @param {string} what Name of the argument.
 * @param {unknown} rows A flat array of n × width numbers, or an array of n arrays of `width` numbers.
 * @param {number} width
 * @param {string} code
 */
export function matrix(what, rows, width, code) {
  const parts = Array.isArray(rows) && rows.every((row) => typeof row === "object" && row?.length === width);
  const flat = parts ? rows.flatMap((row) => Array.from(row)) : rows;
  const numbers = Array.isArray(flat) || ArrayBuffer.isView(flat) ? Array.from(/** @type {any} */ (flat)) : undefined;
  const values = numbers && Float32Array.from(numbers, (value) => (typeof value === "number" ? value : NaN));
  if (!values?.length || values.length % width) {
    throw new InputError(`${what} has ${values?.length ?? "no"} values; expected a positive multiple of ${width}`, {
      code,
    });
  }
  if (!values.every((value) => Math.abs(value) <= MOST_LATENT)) {
    // false for NaN, too
    throw new InputError(`${what} holds a value that is not within ±${MOST_LATENT}; expected finite numbers`, { code });
  }
  return values;
}
