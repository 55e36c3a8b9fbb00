/** Latents are those of the published test vectors. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { latents, philox } from "../src/latents.js";

const VECTORS = JSON.parse(readFileSync(new URL("../../tests/latents.json", import.meta.url), "utf8"));

for (const { size, seed, index, attempt = 0, latent } of VECTORS) {
  test(`latents of seed ${seed}, image ${index}, attempt ${attempt}`, () => {
    const drawn = latents([BigInt(index)], size, BigInt(seed), attempt);
    drawn.forEach((value, i) => assert.ok(Math.abs(value - latent[i]) <= 2 ** -23 * Math.max(1, Math.abs(value)))); // log, cos and sin may differ
    assert.equal(drawn.length, latent.length);
  });
}

test("Philox4x64-10 matches Random123's known answers", () => {
  const ones = (1n << 64n) - 1n;
  const words = philox((1n << 256n) - 1n, ones, ones).map((word) => word.toString(16));
  assert.deepEqual(words, ["87b092c3013fe90b", "438c3c67be8d0224", "9cc7d7c69cd777b6", "a09caebf594f0ba0"]);
});
