/** Interpolation between latents and between labels, and grids over a plane of latents. */

/** Sine of the angle below which an arc equals a line, and its formula would divide by almost zero. */
const NEARLY_PARALLEL = 0.01;
/** Weight of a cluster that has no influence; its logarithm is finite. */
const LEAST_WEIGHT = 1e-30;

/** @typedef {(start: Float32Array, end: Float32Array, t: number) => ArrayLike<number>} Between */

/**
 * Interpolate linearly.
 *
 * @type {Between}
 */
export function lerp(start, end, t) {
  return start.map((value, i) => (1 - t) * value + t * end[i]);
}

/**
 * Interpolate on the arc around the origin (Shoemake, 1985). Points in the same or in opposite directions are
 * interpolated linearly.
 *
 * @type {Between}
 */
export function slerp(start, end, t) {
  const cosine = dot(start, end) / Math.sqrt(dot(start, start) * dot(end, end));
  const angle = Math.acos(Math.min(Math.max(cosine, -1), 1));
  if (Math.sin(angle) < NEARLY_PARALLEL) return lerp(start, end, t);
  const [from, to] = [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((share) => share / Math.sin(angle));
  return start.map((value, i) => from * value + to * end[i]);
}

/**
 * Interpolate between latents whose first components choose a cluster by a softmax, as the GAN's. The weights of the
 * clusters are interpolated linearly, like labels, and the other components on the arc.
 *
 * @param {number[]} bias Added to the first components before the softmax.
 * @param {number} temperature Divides these sums.
 * @returns {Between}
 */
export function mixClusters(bias, temperature) {
  return (start, end, t) => {
    const [from, to] = [start, end].map((point) => clusterWeights(point, bias, temperature));
    const weights = Array.from(lerp(from, to, t), (weight) => Math.max(weight, LEAST_WEIGHT));
    const chosen = weights.map((weight, i) => temperature * Math.log(weight) - bias[i]);
    return [...chosen, ...Array.from(slerp(start.subarray(bias.length), end.subarray(bias.length), t))];
  };
}

/**
 * Return the softmax of the sums of the first components and `bias`.
 *
 * @param {Float32Array} point
 * @param {number[]} bias
 * @param {number} temperature
 */
function clusterWeights(point, bias, temperature) {
  const sums = bias.map((value, i) => point[i] + value);
  const powers = sums.map((sum) => Math.exp((sum - Math.max(...sums)) / temperature));
  const total = powers.reduce((sum, power) => sum + power);
  return Float32Array.from(powers, (power) => power / total);
}

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/**
 * Interpolate from stop to stop.
 *
 * @param {Float32Array[]} stops Points of equal width.
 * @param {number} frames Points from one stop to the next, the first stop included.
 * @param {boolean} loop Return to the first stop, which is not repeated; otherwise end at the last stop.
 * @param {Between} between
 * @returns {Float32Array} Points, length × width. Point i · `frames` is stop i.
 */
export function path(stops, frames, loop, between) {
  const width = stops[0].length;
  const points = new Float32Array(pathLength(stops.length, frames, loop) * width);
  for (let i = 0; i * width < points.length; i++) {
    const [leg, step] = [Math.floor(i / frames), i % frames];
    const point = step ? between(stops[leg], stops[(leg + 1) % stops.length], step / frames) : stops[leg];
    points.set(point, i * width);
  }
  return points;
}

/**
 * Return the number of points of a `path`.
 *
 * @param {number} stops
 * @param {number} frames
 * @param {boolean} loop
 */
export function pathLength(stops, frames, loop) {
  return loop ? stops * frames : (stops - 1) * frames + 1;
}

/**
 * Return latents (side² × 2) in rows from the top left, at evenly spaced quantiles of the unit normal.
 *
 * @param {number} side
 */
export function latentGrid(side) {
  const quantiles = Array.from({ length: side }, (_, i) => normalQuantile((i + 0.5) / side));
  return Float32Array.from([...quantiles].reverse().flatMap((y) => quantiles.flatMap((x) => [x, y])));
}

/**
 * Return x with Φ(x) = p, by Newton's method on Marsaglia's series of Φ ("Evaluating the normal distribution", 2004).
 *
 * The series is precise within ±6, far beyond the quantiles of a grid. From 0, the steps never pass the solution.
 *
 * @param {number} p In (0, 1).
 */
export function normalQuantile(p) {
  let x = 0;
  for (let step = Infinity; Math.abs(step) > 1e-14; x -= step) {
    const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
    let [term, sum] = [x, x];
    for (let n = 3; Math.abs(term) > 1e-17; n += 2) sum += term *= (x * x) / n;
    step = (0.5 + density * sum - p) / density;
  }
  return x;
}
