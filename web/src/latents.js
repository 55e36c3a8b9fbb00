/**
 * Latents of a seed, as defined in docs/contract.md. Image i of seed s depends on (s, i) only.
 *
 * Philox4x64-10 (Salmon et al., 2011) with key (s, 0) gives 64-bit words. Each pair of words becomes two normals in
 * float64 (Box and Muller, 1958), rounded to float32. Attempt k of verified generation uses the key (s, k).
 */

const MASK = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];

/** Seeds go from 0 to SEED_END - 1. */
export const SEED_END = 1n << 64n;
/** Indices of images go from 0 to INDEX_END - 1. */
export const INDEX_END = 1n << 63n;

/** Return a seed of 32 random bits: short enough to note down. */
export function randomSeed() {
  return BigInt(crypto.getRandomValues(new Uint32Array(1))[0]);
}

/**
 * Encrypt a counter.
 *
 * @param {bigint} counter 256 bits.
 * @param {bigint} seed Lower half of the key.
 * @param {bigint} [attempt] Upper half of the key.
 * @returns {bigint[]} Four words of 64 bits.
 */
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
 * Return the latents of an attempt at the images `indices`. The caller checks the ranges.
 *
 * @param {bigint[]} indices Indices of the images.
 * @param {number} size Latent dimensions.
 * @param {bigint} seed
 * @param {number} [attempt] 0 for the image's own latent, otherwise one of the reserve latents of verification.
 * @returns {Float32Array} Unit normals, indices.length × size.
 */
export function latents(indices, size, seed, attempt = 0) {
  const blocks = Math.ceil(size / 4);
  const z = new Float32Array(indices.length * size);
  indices.forEach((index, row) => {
    const before = index * BigInt(blocks);
    const words = Array.from({ length: blocks }, (_, i) => philox(before + BigInt(i + 1), seed, BigInt(attempt)));
    z.set(words.flatMap(normalsOf).slice(0, size), row * size);
  });
  return z;
}

/** @param {bigint[]} words Four words. */
function normalsOf([a, b, c, d]) {
  return [...boxMuller(a, b), ...boxMuller(c, d)];
}

/**
 * @param {bigint} a
 * @param {bigint} b
 */
function boxMuller(a, b) {
  const u = (Number(a >> 11n) + 1) * 2 ** -53; // in (0, 1]
  const v = Number(b >> 11n) * 2 ** -53; // in [0, 1)
  const radius = Math.sqrt(-2 * Math.log(u));
  return [radius * Math.cos(2 * Math.PI * v), radius * Math.sin(2 * Math.PI * v)];
}
