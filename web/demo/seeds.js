/** Seeds of the page: text that the visitor types, or a random number that is easy to read. */

const END = 2n ** 64n;

/** Return a random seed. */
export function randomSeed() {
  return String(crypto.getRandomValues(new Uint16Array(1))[0]);
}

/** Return the seed that follows; the package reports an invalid one. */
export function nextSeed(seed) {
  return /^\d{1,20}$/.test(seed) ? String((BigInt(seed) + 1n) % END) : seed;
}
