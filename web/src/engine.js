/** Runs a model in chunks, and lets the page draw and react in between. */

import { SIDE } from "./text.js";

/** Pixels of an image. */
export const PIXELS = SIDE * SIDE;
/** Images per run: large enough for matrix products, small enough for caches. */
const CHUNK = 16;
/** Milliseconds after which a long call pauses. */
const PAUSE_MS = 16;

/** @typedef {import("./runtime.js").Session} Session */
/**
 * @callback MakeInputs Returns the model's inputs for `size` images from number `at` on.
 * @param {number} at
 * @param {number} size
 * @returns {import("./request.js").Inputs}
 */

/**
 * Draw images in levels of ink.
 *
 * @param {Session} session
 * @param {number} n
 * @param {MakeInputs} inputs
 * @param {AbortSignal} [signal]
 * @returns {Promise<Uint8Array<ArrayBuffer>>} n × 28 × 28, ink 255.
 */
export async function levels(session, n, inputs, signal) {
  const rounded = new Uint8ClampedArray(n * PIXELS); // rounds on assignment, half to even
  const keep = (/** @type {Float32Array} */ ink, /** @type {number} */ at) => {
    rounded.set(
      ink.map((value) => value * 255),
      at * PIXELS,
    );
  };
  await runChunks(session, n, inputs, keep, signal);
  return new Uint8Array(rounded.buffer);
}

/**
 * Run the model in chunks.
 *
 * @param {Session} session
 * @param {number} n
 * @param {MakeInputs} inputs
 * @param {(ink: Float32Array, at: number) => void} onChunk Takes ink in [0, 1], size × 28 × 28.
 * @param {AbortSignal} [signal]
 */
export async function runChunks(session, n, inputs, onChunk, signal) {
  let since = performance.now();
  for (let at = 0; at < n; at += CHUNK) {
    signal?.throwIfAborted();
    const size = Math.min(CHUNK, n - at);
    onChunk(await session.run(size, inputs(at, size)), at);
    if (performance.now() - since < PAUSE_MS) continue;
    await new Promise((resolve) => setTimeout(resolve)); // a run blocks the thread; its promise does not free it
    since = performance.now();
  }
}
