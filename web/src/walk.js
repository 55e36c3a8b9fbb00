/** Walks and manifolds: the model's inputs for a path through, or a grid over, its latents. */

import { InputError } from "./errors.js";
import { lerp, mixClusters, path, pathLength, slerp } from "./interpolation.js";
import { SEED_END, latents, randomSeed } from "./latents.js";
import { oneHot } from "./request.js";
import { count, digitList, whole } from "./validation.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./validation.js").Whole} Whole */
/**
 * @typedef {object} WalkOptions
 * @property {Whole | Whole[]} [seeds] Seed of each stop; random by default.
 * @property {number | number[]} [digits] Digit of each stop, for the CGAN; by default, 0 to 9 with one seed.
 * @property {number} [frames] Frames from one stop to the next, the first stop included; 24 by default.
 * @property {boolean} [loop] Return to the first stop, which is not repeated.
 */

/** Number of random seeds of a walk that changes nothing else. */
const RANDOM_SEEDS = 4;

/**
 * Return the stops of a walk. If there are fewer seeds than digits, or fewer digits than seeds, they repeat.
 *
 * @param {Model} model
 * @param {WalkOptions} options
 */
export function walkRequest(model, { seeds, digits, frames = 24, loop = false }) {
  if (digits !== undefined && !model.classes) {
    throw new InputError(`The ${model.name} is unconditional`, {
      code: "model-unconditional",
      remedy: "Use the cgan to choose digits",
    });
  }
  const shown = shownDigits(model, seeds, digits);
  const places = seeds === undefined ? randomSeeds(shown.length > 1 ? 1 : RANDOM_SEEDS) : seedList(seeds);
  const stops = Math.max(places.length, shown.length);
  if (stops < 2) {
    const remedy = "Give several seeds, or several digits if the model takes digits";
    throw new InputError("The walk has 1 stop; expected at least 2", { code: "too-few-stops", remedy });
  }
  const step = count(frames, "frames");
  const length = count(pathLength(stops, step, loop), "the number of frames");
  return { seeds: cycle(places, stops), digits: cycle(shown, stops), frames: step, loop: Boolean(loop), length };
}

/**
 * Return the model's inputs for all frames of a walk.
 *
 * @param {Model} model
 * @param {ReturnType<typeof walkRequest>} walk
 * @returns {import("./request.js").Inputs} length × width each.
 */
export function walkInputs(model, { seeds, digits, frames, loop }) {
  const { latent_size: size, classes } = model;
  const z = path(
    seeds.map((seed) => latents([0n], size, seed)),
    frames,
    loop,
    between(model),
  );
  if (!classes) return { z };
  return {
    z,
    label: path(
      digits.map((digit) => oneHot([digit], classes)),
      frames,
      loop,
      lerp,
    ),
  };
}

/**
 * Return how the model's latents are interpolated.
 *
 * @param {Model} model
 */
function between({ latent_size: size, label_bias: bias = [], label_temperature: temperature = 0 }) {
  if (temperature) return mixClusters(bias, temperature);
  return size === 2 ? lerp : slerp;
}

/**
 * @param {Model} model
 * @param {unknown} side
 */
export function manifoldSide(model, side) {
  if (model.latent_size !== 2 || model.classes) {
    const problem = `The ${model.name} has ${model.latent_size} latent dimensions; expected 2 and no labels`;
    throw new InputError(problem, { code: "model-without-manifold", remedy: "Use the vae" });
  }
  return Number(whole("side", side, 1001n, { code: "invalid-count", min: 1n }));
}

/**
 * @param {Model} model
 * @param {unknown} seeds
 * @param {unknown} digits
 */
function shownDigits(model, seeds, digits) {
  if (digits !== undefined) return digitList("digits", digits, model.classes);
  const oneSeed = !Array.isArray(seeds) || seeds.length === 1;
  return model.classes && oneSeed ? [...Array(model.classes).keys()] : [0];
}

/** @param {unknown} seeds */
function seedList(seeds) {
  const list = Array.isArray(seeds) ? seeds : [seeds];
  if (!list.length) throw new InputError("seeds is empty; expected at least one seed", { code: "invalid-seed" });
  return list.map((seed) => whole("seeds", seed, SEED_END, { code: "invalid-seed" }));
}

/** @param {number} n */
function randomSeeds(n) {
  const first = randomSeed();
  return Array.from({ length: n }, (_, i) => first + BigInt(i));
}

/**
 * @template T
 * @param {T[]} values
 * @param {number} n
 */
function cycle(values, n) {
  return Array.from({ length: n }, (_, i) => values[i % values.length]);
}
