/**
 * Tell from a latent which digits an unconditional model may show, before it draws them.
 *
 * The largest of the first numbers of a GAN's latent names its digit (`label_bias`). The digits of a VAE form regions
 * in its plane of latents (`label_map`).
 */

/** Difference of two sums of `label_bias` from which the latent is in the cluster of one digit only. */
export const MARGIN = 0.01;
/** The map of a plane reaches from -MAP_LIMIT to MAP_LIMIT along both axes. */
export const MAP_LIMIT = 4;

/** @typedef {import("./model.js").Model} Model */

/**
 * Return whether the model's latents tell which digits it may show.
 *
 * @param {Model} model
 */
export function tellsDigits({ label_bias: bias = [], label_map: map = [] }) {
  return bias.length > 0 || map.length > 0;
}

/**
 * Return whether the image of the latent `z` may show `digit`, for a model that tells.
 *
 * @param {Model} model
 * @param {Float32Array} z
 * @param {number} digit
 */
export function mayShow({ label_bias: bias = [], label_map: map = [] }, z, digit) {
  return map.length ? isNearRegion(map, z, digit) : isNearCluster(bias, z, digit);
}

/**
 * @param {number[]} bias
 * @param {Float32Array} z
 * @param {number} digit
 */
function isNearCluster(bias, z, digit) {
  const sums = bias.map((value, i) => Math.fround(z[i] + Math.fround(value)));
  return Math.fround(Math.max(...sums) - sums[digit]) <= Math.fround(MARGIN);
}

/**
 * Return whether the cell of a latent or one of its eight neighbors shows the digit. Outside the map, any digit is possible.
 *
 * @param {string[]} map
 * @param {Float32Array} z
 * @param {number} digit
 */
function isNearRegion(map, z, digit) {
  const cells = Array.from(z, (value) => Math.floor((Math.fround(value + MAP_LIMIT) * map.length) / (2 * MAP_LIMIT)));
  const [column, row] = cells.map((cell) => Math.min(Math.max(cell, -1), map.length));
  const around = [-1, 0, 1];
  return around.some((up) =>
    around.some((right) => [String(digit), undefined].includes(map[row + up]?.[column + right])),
  );
}
