/** Each control of the demo page does what it says, and the digits are those of the package in Node.js. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { decode } from "fast-png";

import { normalQuantile, PIXELS } from "../../src/index.js";
import { addressEnds, assertClose, Browser, generator, inked, settled, skip, status } from "./browser.js";

const image = (images, i) => images.subarray(i * PIXELS, (i + 1) * PIXELS);

describe("views", { skip }, () => {
  const browser = new Browser();
  let page;

  before(async () => (page = await (await browser.start()).open()));
  after(() => browser.stop());
  const visit = (hash) => browser.visit(page, hash);

  async function download(name) {
    const press = page.getByRole("button", { name }).click();
    return (await Promise.all([page.waitForEvent("download"), press]))[0];
  }

  /** Run the JavaScript that the page shows, with models in Node.js. */
  async function runShown() {
    await page.getByRole("button", { name: "JavaScript" }).click();
    const lines = (await page.locator("code").textContent()).split("\n");
    await page.getByRole("button", { name: "Python" }).click();
    assert.equal(lines[0], 'import { load } from "mnistgen";');
    const [, variable, model] = /^import (\w+) from "mnistgen\/models\/([\w-]+)";$/.exec(lines[1]);
    const body = lines.slice(3).join("\n").replace("await gen", "return gen");
    const run = new Function("load", variable, `return (async () => { ${body} })()`);
    return run(() => generator(model), undefined);
  }

  test("Draw opens on the digits of the VAE", async () => {
    await visit("");
    const vae = await generator("vae");
    const { images } = await vae.generateVerified(10, { digit: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], seed: 7 });
    const drawn = await inked(page);
    assert.equal(drawn.length, 10);
    drawn.forEach((levels, i) => assertClose(levels, image(images, i)));
    assert.match(await status(page), /^Drew 10 digits in \d+ ms\.$/);
  });

  test("Draw adds a digit for each press", async () => {
    await visit("draw?model=cgan&seed=7&digits=");
    assert.equal(await status(page), "Press a digit.");
    await page.getByRole("button", { name: "3", exact: true }).click();
    await page.keyboard.press("1");
    await page.keyboard.press("4");
    await addressEnds(page, "draw?model=cgan&seed=7&digits=314");
    await settled(page);
    const expected = await (await generator("cgan")).generate(3, { digit: [3, 1, 4], seed: 7 });
    (await inked(page)).forEach((levels, i) => assertClose(levels, image(expected, i)));
    const python = 'import mnistgen\n\nmnistgen.load("cgan").draw([3, 1, 4], seed=7)';
    assert.equal(await page.locator("code").textContent(), python);
    await page.getByRole("button", { name: "Shell" }).click();
    const shell = "mnistgen-run --model cgan --digit 3,1,4 --n 3 --seed 7";
    assert.equal(await page.locator("code").textContent(), shell);
    const { pixels } = await runShown();
    assert.deepEqual(pixels.subarray(0, 28), image(expected, 0).subarray(0, 28));
    await page.getByRole("button", { name: "Undo" }).click();
    await page.keyboard.press("Backspace");
    await addressEnds(page, "digits=3");
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByText("Press a digit.").waitFor();
    assert.equal(await page.locator("main canvas").count(), 0);
    assert.equal(await page.locator("code").count(), 0);
  });

  test("Draw says when the paper is full", async () => {
    await visit(`draw?model=cgan&seed=7&digits=${"5".repeat(60)}`);
    await page.keyboard.press("1");
    await page.getByText("The paper is full with 60 digits.").waitFor();
    assert.equal(await page.locator("main canvas").count(), 60);
  });

  test("Draw changes model and seed", async () => {
    await visit("draw?model=vae&seed=7&digits=5");
    await page.getByLabel("Model").selectOption("gan");
    await page.getByLabel("Seed").fill("8");
    await addressEnds(page, "model=gan&seed=8&digits=5");
    await settled(page);
    const expected = await (await generator("gan")).draw(5, { seed: 8, verify: true });
    assertClose((await inked(page))[0], expected.pixels);
    await page.getByRole("button", { name: "New seed" }).click();
    await page.waitForFunction(() => /seed=(?!8&)\d+&/.test(location.hash));
  });

  test("Write writes a date and saves it", async () => {
    await visit("write");
    await page.getByLabel("Text").fill("1999-12-31");
    await addressEnds(page, "text=1999-12-31");
    await settled(page);
    assert.equal(await status(page), "Wrote 8 digits.");
    const expected = await (await generator("cgan")).text("1999-12-31", { seed: 7 });
    assertClose((await inked(page))[0], expected.pixels);
    assert.deepEqual((await runShown()).pixels, expected.pixels);
    const png = await download("Save PNG");
    assert.equal(png.suggestedFilename(), "1999-12-31.png");
    const { width, height } = decode(await readFile(await png.path()));
    assert.deepEqual([width, height], [8 * expected.width, 8 * 28]);
    const svg = await download("Save SVG");
    assert.match(await readFile(await svg.path(), "utf8"), /^<svg /);
  });

  test("Write shows errors in one sentence and recovers", async () => {
    await visit("write?text=abc");
    assert.match(await status(page), /^text is "abc"; expected at least one digit/);
    assert.equal(await page.locator("code").count(), 0);
    await page.getByLabel("Text").fill("5");
    await page.getByText("Wrote 1 digit.").waitFor();
    await page.getByLabel("Seed").fill("minus one");
    await page.getByText('seed is "minus one"; expected an integer from 0 to 18446744073709551615.').waitFor();
    await page.getByLabel("Seed").fill("18446744073709551615");
    await page.getByText("Wrote 1 digit.").waitFor();
    const expected = await (await generator("cgan")).text("5", { seed: 2n ** 64n - 1n });
    assert.deepEqual((await runShown()).pixels, expected.pixels);
  });

  test("Latent space decodes points by keyboard and by dragging", async () => {
    await visit("latent?x=0.25&y=0.75");
    const vae = await generator("vae");
    const at = async (x, y) => (await vae.decode([x, y].map(normalQuantile))).map((ink) => ink * 255);
    const shown = async () => (await inked(page, ".large"))[0];
    assertClose(await shown(), await at(0.25, 0.75));
    await page.getByText(/^The verifier reads a \d, \d+ % sure\.$/).waitFor();
    assertClose(
      (await runShown()).map((ink) => 255 * ink),
      await at(0.25, 0.75),
    );
    const map = page.getByRole("application");
    await map.focus();
    for (const key of ["ArrowRight", "ArrowUp", "Shift+ArrowRight"]) await page.keyboard.press(key);
    await addressEnds(page, "#latent?x=0.310&y=0.760");
    await settled(page);
    assertClose(await shown(), await at(0.31, 0.76));
    const box = await map.boundingBox();
    await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.5 * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.8 * box.width, box.y + 0.1 * box.height, { steps: 5 });
    await page.mouse.up();
    await addressEnds(page, "#latent?x=0.800&y=0.900");
    await settled(page);
    assertClose(await shown(), await at(0.8, 0.9));
    const drawn = await page.locator(".rate").textContent();
    await page.mouse.down(); // the digit follows a ring that never rests
    for (let i = 0; (await page.locator(".rate").textContent()) === drawn; i++) {
      assert.ok(i < 50);
      await page.mouse.move(box.x + (i % 2 ? 0.3 : 0.4) * box.width, box.y + 0.5 * box.height);
    }
    await page.mouse.up();
    await page.getByLabel("x", { exact: true }).fill("0.5");
    await page.waitForFunction(() => location.hash.startsWith("#latent?x=0.500&y=0."));
    const manifold = await vae.manifold(16);
    const row = Array.from({ length: 16 }, (_, i) => [...image(manifold, i).subarray(14 * 28, 15 * 28)]).flat();
    assertClose((await inked(page, ".plane canvas"))[0].slice(14 * 16 * 28, 15 * 16 * 28), row);
  });

  test("Morph leads from one digit to another and saves a GIF", async () => {
    await visit("morph?seed=14&from=3&to=8&frame=24");
    const { frames } = await (await generator("cgan")).walk({ seeds: 14, digits: [3, 8], frames: 24, loop: true });
    assertClose((await inked(page))[0], image(frames, 24));
    assert.deepEqual((await runShown()).frames, frames);
    await page.getByLabel("On the way").fill("7");
    await addressEnds(page, "frame=7");
    await settled(page);
    assertClose((await inked(page))[0], image(frames, 7));
    const content = await readFile(await (await download("Save GIF")).path());
    assert.equal(content.subarray(0, 6).toString(), "GIF89a");
    assert.deepEqual([content.readUInt16LE(6), content.readUInt16LE(8)], [224, 224]);
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => document.querySelector(".way input").value !== "7");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.waitForFunction(() => location.hash.endsWith(`frame=${document.querySelector(".way input").value}`));
  });

  test("Morph leads between latents of a model without labels", async () => {
    await visit("morph?model=gan&seed=1&frame=24");
    assert.ok(await page.getByLabel("From").isDisabled());
    assertClose((await inked(page))[0], await (await generator("gan")).generate(1, { seed: 2 }));
    await page.getByLabel("Seed").fill("x");
    await page.getByText(/is "x"; expected an integer/).waitFor();
  });

  test("Compare shows the models on one seed, with figures", async () => {
    await visit("compare?seed=3");
    assert.equal(await status(page), "10 digits of seed 3 from each model.");
    for (const name of ["vae", "gan", "cgan"]) {
      const row = `[data-model="${name}"]`;
      assertClose(
        (await inked(page, `${row} canvas`))[0],
        (await (await generator(name)).draw(undefined, { n: 10, seed: 3 })).pixels,
      );
      assert.match(await page.locator(row).textContent(), /Legible\d+\.\d %Fréchet distance\d/);
    }
  });

  test("Verify reads the digits and draws illegible ones again", async () => {
    await visit("verify?model=vae&seed=7");
    const vae = await generator("vae");
    const first = await vae.generate(12, { seed: 7 });
    (await inked(page)).forEach((levels, i) => assertClose(levels, image(first, i)));
    const { images, attempts } = await vae.generateVerified(12, { seed: 7 });
    assert.equal(await page.locator(".doubtful").count(), attempts.filter((count) => count > 1).length);
    assert.match(await page.locator(".bars").first().getAttribute("aria-label"), /^Probabilities: \d: \d/);
    await page.getByRole("button", { name: "Redraw illegible digits" }).click();
    const total = attempts.reduce((sum, count) => sum + count);
    await page.getByText(`All 12 are legible, after ${total} attempts.`).waitFor();
    (await inked(page)).forEach((levels, i) => assertClose(levels, image(images, i)));
    assert.equal(await page.locator(".doubtful").count(), 0);
    assert.equal((await runShown()).pixels.length, images.length + 8 * PIXELS); // two rows of ten
  });

  test("nothing went wrong, and no other host was asked", () => assert.deepEqual(browser.wrong, []));
});
