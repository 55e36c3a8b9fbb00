/** JavaScript draws what tests/parity/ says, in both builds of ONNX Runtime; tests/test_parity.py checks Python. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";

import { decode } from "fast-png";

import { grid, load } from "../src/index.js";
import { node, RUNTIMES } from "./helpers.js";

const FOLDER = new URL("../../tests/parity/", import.meta.url);
const CASES = JSON.parse(readFileSync(new URL("cases.json", FOLDER), "utf8"));
/** Largest difference in gray levels; docs/contract.md gives the bound of int8, where rounding differs. */
const MOST_LEVELS = { "cgan-int8": 10 };

const loaded = new Map();

/** Load a model once for all cases. */
function generator(name, ort) {
  const key = `${name} ${ort === node}`;
  if (!loaded.has(key)) loaded.set(key, load(name, { artifacts: new URL("../models/", import.meta.url), ort }));
  return loaded.get(key);
}

/** Return what JavaScript draws for a case: a picture, and facts about it. */
async function answer({ call, model, n, text, side, ...options }, ort) {
  const gen = await generator(model, ort);
  for (const key of ["picture", "expected", "error"]) delete options[key];
  if (call === "generate") return { picture: grid(await gen.generate(n, options)) };
  if (call === "verified") {
    const { images, digits, attempts } = await gen.generateVerified(n, options);
    return { picture: grid(images), digits, attempts };
  }
  if (call === "text") {
    const picture = await gen.text(text, options);
    return { picture, boxes: picture.boxes };
  }
  return { picture: grid(call === "walk" ? (await gen.walk(options)).frames : await gen.manifold(side)) };
}

for (const [runtime, ort] of Object.entries(RUNTIMES)) {
  describe(runtime, () => {
    for (const example of CASES.filter((example) => example.picture)) {
      test(`draws ${example.picture}`, async () => {
        const { picture, ...facts } = await answer(example, ort);
        const expected = decode(readFileSync(new URL(example.picture, FOLDER)));
        assert.deepEqual([picture.width, picture.height], [expected.width, expected.height]);
        const differences = picture.pixels.map((level, i) => Math.abs(level - expected.data[i]));
        assert.ok(
          Math.max(...differences) <= (MOST_LEVELS[example.model] ?? 1),
          `${Math.max(...differences)} levels off`,
        );
        assert.deepEqual(facts, example.expected);
      });
    }
  });
}

for (const { error, ...example } of CASES.filter((example) => example.error)) {
  test(`refuses ${JSON.stringify(example)}`, async () => {
    await assert.rejects(answer(example), { code: error });
  });
}

after(async () => {
  for (const gen of loaded.values()) await (await gen).close();
});
