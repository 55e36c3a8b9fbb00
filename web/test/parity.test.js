/** JavaScript draws what tests/parity/ says; tests/test_parity.py checks Python. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { decode } from "fast-png";
import puppeteer from "puppeteer-core";

import * as library from "../src/index.js";
import { CHROMIUM, FIREFOX, FLAGS, MODELS, node, serveFolder } from "./helpers.js";
import { answer, MOST_LEVELS } from "./parity.js";

const FOLDER = new URL("../../tests/parity/", import.meta.url);
const CASES = JSON.parse(readFileSync(new URL("cases.json", FOLDER), "utf8"));
const PICTURES = CASES.filter((example) => example.picture);

/** Compare an answer with the picture and the facts that Python wrote. */
function assertEqual(example, { picture: { width, height, pixels }, ...facts }) {
  const expected = decode(readFileSync(new URL(example.picture, FOLDER)));
  assert.deepEqual([width, height], [expected.width, expected.height]);
  const most = Math.max(...pixels.map((level, i) => Math.abs(level - expected.data[i])));
  assert.ok(most <= (MOST_LEVELS[example.model] ?? 1), `${most} levels off`);
  assert.deepEqual(facts, example.expected);
}

for (const [runtime, ort] of Object.entries({ "onnxruntime-web": undefined, "onnxruntime-node": node })) {
  describe(`Node.js, ${runtime}`, () => {
    const generators = new Map();
    after(() => Promise.all([...generators.values()].map(async (generator) => (await generator).close())));

    async function generator(name) {
      if (!generators.has(name)) generators.set(name, library.load(name, { artifacts: MODELS, ort }));
      return generators.get(name);
    }

    for (const example of PICTURES) {
      test(`draws ${example.picture}`, async () => {
        assertEqual(example, await answer(library, await generator(example.model), example));
      });
    }
    for (const example of CASES.filter((example) => example.error)) {
      test(`refuses ${JSON.stringify(example)}`, async () => {
        await assert.rejects(answer(library, await generator(example.model), example), { code: example.error });
      });
    }
  });
}

const BROWSERS = {
  Chromium: { executablePath: CHROMIUM, args: FLAGS },
  Firefox: { executablePath: FIREFOX, browser: "firefox" },
};
const built = existsSync(new URL("../bundle/", import.meta.url));

for (const [name, options] of Object.entries(BROWSERS)) {
  const skip = !options.executablePath ? `needs ${name}` : !built && "needs `npm run build`";
  describe(name, { skip }, () => {
    let browser, server, page;
    before(async () => {
      server = await serveFolder(new URL("../", import.meta.url));
      browser = await puppeteer.launch({ headless: true, ...options });
      page = await browser.newPage();
      await page.goto(`${server.url}test/blank.html`);
    });
    after(async () => {
      await browser?.close();
      server?.close();
    });

    for (const example of PICTURES) {
      test(`draws ${example.picture}`, async () => {
        const { picture, ...facts } = await page.evaluate(answerInPage, example);
        assertEqual(example, { ...facts, picture: { ...picture, pixels: Uint8Array.from(picture.pixels) } });
      });
    }
  });
}

/** Runs in a browser: answer a case with the bundle. Models stay loaded. */
async function answerInPage(example) {
  const [library, { answer }] = await Promise.all([import("/bundle/mnistgen.js"), import("/test/parity.js")]);
  const wasm = "/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm";
  globalThis.generators ??= {};
  const generator = await (globalThis.generators[example.model] ??= library.load(example.model, {
    artifacts: "/models/",
    wasm,
  }));
  const { picture, ...facts } = await answer(library, generator, example);
  return { ...facts, picture: { width: picture.width, height: picture.height, pixels: [...picture.pixels] } };
}
