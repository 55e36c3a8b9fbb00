/** Generators validate, queue, stream, abort and close. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { grid, InputError, load, PIXELS } from "../src/index.js";
import cgan from "../models/cgan.js";
import vae from "../models/vae.js";
import { node } from "./helpers.js";

let plane, conditional;
before(async () => ([plane, conditional] = await Promise.all([vae, cgan].map((model) => load(model, { ort: node })))));
after(() => Promise.all([plane.close(), conditional.close()]));

test("images depend on their index only", async () => {
  const whole = await conditional.generate(40, { seed: 7 });
  const parts = await Promise.all([0, 17, 33].map((start) => conditional.generate(7, { seed: 7, start })));
  [0, 17, 33].forEach((start, i) => assert.deepEqual(parts[i], whole.slice(start * PIXELS, (start + 7) * PIXELS)));
});

test("seeds are numbers, BigInts or strings", async () => {
  const drawn = await Promise.all([7, 7n, "7"].map((seed) => plane.generate(1, { seed })));
  assert.deepEqual(drawn[0], drawn[1]);
  assert.deepEqual(drawn[0], drawn[2]);
});

test("a picture knows its random seed", async () => {
  const picture = await conditional.draw([3, 1, 4]);
  assert.deepEqual(picture.digits, [3, 1, 4]);
  assert.deepEqual((await conditional.draw([3, 1, 4], { seed: picture.seed })).pixels, picture.pixels);
});

test("digits repeat until there are n", async () => {
  assert.deepEqual((await conditional.draw([1, 2], { n: 5 })).digits, [1, 2, 1, 2, 1]);
});

test("every model draws a digit when verified", async () => {
  const picture = await plane.draw(8, { n: 2, seed: 7, verify: true });
  assert.deepEqual(picture.digits, [8, 8]);
  const probabilities = await plane.read((await plane.generateVerified(2, { digit: 8, seed: 7 })).images);
  assert.ok(probabilities[8] > 0.9995 && probabilities[18] > 0.9995);
});

test("decodes what latents give", async () => {
  const ink = await plane.decode([
    [0, 0],
    [1, -1],
  ]);
  assert.equal(ink.length, 2 * PIXELS);
  assert.ok(ink.every((value) => value >= 0 && value <= 1));
  assert.deepEqual(await plane.decode(Float32Array.of(0, 0)), ink.slice(0, PIXELS));
});

test("mixes labels", async () => {
  const label = Array(10).fill(0);
  label[3] = label[8] = 0.5;
  assert.equal((await conditional.decode(Array(128).fill(0), label)).length, PIXELS);
});

test("streams the images of generate", async () => {
  const blocks = [];
  for await (const block of plane.stream(300, { seed: 1 })) blocks.push(block);
  assert.deepEqual(
    blocks.map((block) => block.length / PIXELS),
    [256, 44],
  );
  assert.deepEqual(Buffer.concat(blocks), Buffer.from(await plane.generate(300, { seed: 1 })));
});

test("streams more images than fit into memory", async () => {
  for await (const block of plane.stream(1e12, { seed: 1 })) {
    assert.deepEqual(block.slice(0, 300 * PIXELS), await plane.generate(256, { seed: 1 }));
    break;
  }
});

test("generate can verify, too", async () => {
  const { images } = await plane.generateVerified(3, { digit: 8, seed: 7 });
  assert.deepEqual(await plane.generate(3, { digit: 8, seed: 7, verify: true }), images);
});

test("checks the arguments of a stream at once", () => {
  assert.throws(() => plane.stream(0), { code: "invalid-count" });
});

test("stops when aborted", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 5);
  await assert.rejects(conditional.generate(100_000, { seed: 1, signal: controller.signal }), { name: "AbortError" });
});

test("verification pauses, and stops when aborted", async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 200);
  const { signal } = controller;
  await assert.rejects(plane.generateVerified(100_000, { seed: 1, signal }), { name: "AbortError" });
});

test("a stream stops when aborted", async () => {
  const controller = new AbortController();
  const stream = plane.stream(1e6, { seed: 1, signal: controller.signal });
  await stream.next();
  controller.abort();
  await assert.rejects(stream.next(), { name: "AbortError" });
});

test("a stream of a closed generator ends with an error", async () => {
  const gen = await load(vae, { ort: node });
  const stream = gen.stream(1000);
  await stream.next();
  await gen.close();
  await assert.rejects(stream.next(), { code: "generator-closed" });
});

test("each call of close waits for running calls", async () => {
  const gen = await load(vae, { ort: node });
  let ended = false;
  const running = gen.generate(500).then(() => (ended = true));
  gen.close();
  await gen.close();
  assert.ok(ended);
  await running;
});

test("errors say what to do, as in Python", async () => {
  await assert.rejects(plane.generate(1, { digit: 3 }), {
    problem: "The vae is unconditional",
    remedy: "Use the cgan to choose a digit, or generateVerified with any model",
  });
});

test("a closed generator refuses calls", async () => {
  const gen = await load(vae, { ort: node });
  const running = gen.generate(20);
  await Promise.all([gen.close(), gen.close()]);
  assert.equal((await running).length, 20 * PIXELS);
  for (const call of ["generate", "generateVerified", "draw", "walk", "manifold"]) {
    await assert.rejects(gen[call](), { code: "generator-closed" });
  }
  await assert.rejects(gen.text("1", { verify: true }), { code: "generator-closed" });
});

for (const [call, code] of [
  [(gen) => gen.generate(1e9), "invalid-count"],
  [(gen) => gen.generate(NaN), "invalid-count"],
  [(gen) => gen.generate(null), "invalid-count"],
  [(gen) => gen.generate(1, { seed: 2 ** 60 }), "invalid-seed"],
  [(gen) => gen.generate(1, { seed: "7 " }), "invalid-seed"],
  [(gen) => gen.generate(1, { digit: [] }), "invalid-digit"],
  [(gen) => gen.generate(1, { digit: "five" }), "invalid-digit"],
  [(gen) => gen.decode([]), "invalid-latent"],
  [(gen) => gen.decode("z"), "invalid-latent"],
  [(gen) => gen.decode(Array(127).fill(0), Array(10).fill(0)), "invalid-latent"],
  [(gen) => gen.decode(Array(128).fill(NaN), Array(10).fill(0)), "invalid-latent"],
  [(gen) => gen.decode(Array(128).fill(0)), "invalid-label"],
  [(gen) => gen.decode(Array(128).fill(0), Array(20).fill(0)), "invalid-label"],
  [(gen) => gen.walk({ seeds: [] }), "invalid-seed"],
  [(gen) => gen.walk({ frames: 1e6 }), "invalid-count"],
  [(gen) => gen.text("1".repeat(2000)), "invalid-text"],
  [(gen) => gen.text(null), "invalid-text"],
  [(gen) => gen.draw(5, { columns: 0 }), "invalid-layout"],
  [(gen) => gen.generate(1, null), "option-conflict"],
  [(gen) => gen.generate(1, { digits: 5 }), "option-conflict"],
  [(gen) => gen.text("5", { digit: 5 }), "option-conflict"],
  [(gen) => gen.walk(null), "option-conflict"],
  [(gen) => gen.draw(null), "invalid-digit"],
  [(gen) => gen.generate(1, { digit: null }), "invalid-digit"],
  [(gen) => gen.generate(1, { seed: [Symbol("s")] }), "invalid-seed"],
  [(gen) => gen.generate(1, { seed: Object.create(null) }), "invalid-seed"],
  [(gen) => gen.decode([1n]), "invalid-latent"],
  [(gen) => gen.read(Array(784).fill(0)), "invalid-image"],
  [(gen) => gen.read(new Float32Array(784)), "invalid-image"],
  [(gen) => gen.read(new Uint8Array(10)), "invalid-image"],
]) {
  test(`refuses ${String(call).slice(9)}`, async () => {
    await assert.rejects(call(conditional), (error) => {
      assert.ok(error instanceof InputError, error.stack);
      assert.equal(error.code, code);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });
}

test("labels belong to the CGAN", async () => {
  await assert.rejects(plane.decode([0, 0], Array(10).fill(0)), { code: "model-unconditional" });
  assert.throws(() => grid(null), { code: "invalid-image" });
});
