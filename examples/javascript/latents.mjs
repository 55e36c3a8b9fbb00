/**
 * The latents that a seed stands for, as tests/philox.py defines them: image i of seed s depends on (s, i) alone.
 *
 * Words come from Philox4x64-10 (Salmon et al. 2011) under the key (s, 0), pairs of them become two normals each
 * (Box & Muller 1958) in float64, and these are rounded to float32. Where Python draws an image anew to verify it,
 * attempt k takes the key (s, k). Depends on nothing, runs wherever JavaScript does.
 */

const MASK = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];

/** Seeds are 0 to SEED_END - 1, indices of images 0 to INDEX_END - 1. */
export const SEED_END = 1n << 64n;
export const INDEX_END = 1n << 63n;

/** The four 64-bit words of the BigInt `counter` under the key (`seed`, `attempt`), after ten rounds. */
export function philox(counter, seed, attempt = 0n) {
  let [a, b, c, d] = [counter & MASK, (counter >> 64n) & MASK, (counter >> 128n) & MASK, counter >> 192n];
  let [low, high] = [seed, attempt];
  for (let round = 0; round < 10; round++) {
    const [first, second] = [MULTIPLIERS[0] * a, MULTIPLIERS[1] * c];
    [a, b, c, d] = [(second >> 64n) ^ b ^ low, second & MASK, (first >> 64n) ^ d ^ high, first & MASK];
    [low, high] = [(low + WEYL[0]) & MASK, (high + WEYL[1]) & MASK];
  }
  return [a, b, c, d];
}

/**
 * Latents of the images `start` to `start` + `n` - 1 of `seed`: a Float32Array of n × `size` unit normals.
 *
 * `seed`, `start` and `attempt` are BigInts within their ranges, which the caller sees to.
 */
export function latents(n, size, seed, start, attempt = 0n) {
  const blocks = Math.ceil(size / 4);
  const z = new Float32Array(n * size);
  for (let image = 0; image < n; image++) {
    const before = (start + BigInt(image)) * BigInt(blocks);
    const words = Array.from({ length: blocks }, (_, i) => philox(before + BigInt(i + 1), seed, attempt));
    z.set(words.flatMap(normalsOf).slice(0, size), image * size);
  }
  return z;
}

/** Four words → four normals, in float64. */
function normalsOf([a, b, c, d]) {
  return [...boxMuller(a, b), ...boxMuller(c, d)];
}

function boxMuller(a, b) {
  const u = (Number(a >> 11n) + 1) * 2 ** -53; // in (0, 1]
  const v = Number(b >> 11n) * 2 ** -53; // in [0, 1)
  const radius = Math.sqrt(-2 * Math.log(u));
  return [radius * Math.cos(2 * Math.PI * v), radius * Math.sin(2 * Math.PI * v)];
}
