/** The built page in Chromium: each control does what it says, and the digits are those of the package in Node.js. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { decode } from "fast-png";
import { chromium } from "playwright-core";

import { load, PIXELS } from "../src/index.js";
import { CHROMIUM, FLAGS, MODELS, node, serveFolder } from "./helpers.js";

const DIST = new URL("../dist/", import.meta.url);
const SCREENSHOTS = new URL("../screenshots/", import.meta.url);
const VIEWS = ["draw", "write", "latent", "morph", "compare", "verify"];
const skip = !CHROMIUM ? "needs Chromium" : !existsSync(DIST) ? "needs `npm run build`" : false;

describe("demo page", { skip }, () => {
  let browser, server, page;
  const wrong = []; // errors on the console, and requests to other hosts
  const generators = {};

  before(async () => {
    [browser, server] = await Promise.all([
      chromium.launch({ executablePath: CHROMIUM, args: FLAGS }),
      serveFolder(DIST),
    ]);
    page = await open();
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  /** Open a page in a context of its own. Requests to other hosts fail. */
  async function open(options = {}, noted = wrong) {
    const context = await browser.newContext({ reducedMotion: "reduce", ...options });
    const opened = await context.newPage();
    opened.on("console", (message) => message.type() === "error" && noted.push(message.text()));
    opened.on("pageerror", (error) => noted.push(error.message));
    await context.route(
      (url) => url.origin !== server.url.origin && url.protocol.startsWith("http"),
      (route) => {
        noted.push(route.request().url());
        route.abort();
      },
    );
    return opened;
  }

  /** Go to a view and wait until it has drawn. */
  async function visit(hash, target = page) {
    await target.goto(`${server.url}#${hash}`);
    await settled(target);
  }

  function settled(target = page) {
    return target.waitForFunction(() => {
      const view = document.querySelector("main");
      const drawn = view.querySelector("canvas") || document.querySelector("#status").textContent;
      return !view.hasAttribute("aria-busy") && drawn;
    });
  }

  /** Return the levels of ink on canvases, each as an array. */
  function inked(selector = "main canvas", target = page) {
    return target.locator(selector).evaluateAll((canvases) =>
      canvases.map((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return Array.from(data.filter((_, i) => i % 4 === 3));
      }),
    );
  }

  async function generator(name) {
    return (generators[name] ??= load(name, { artifacts: MODELS, ort: node }));
  }

  function assertClose(levels, expected) {
    assert.equal(levels.length, expected.length);
    const most = Math.max(...levels.map((level, i) => Math.abs(level - expected[i])));
    assert.ok(most <= 1, `${most} levels off`);
  }

  function status(target = page) {
    return target.locator("#status").textContent();
  }

  test("opens on the digits of the VAE", async () => {
    await visit("");
    const expected = await (await generator("vae")).draw([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], { seed: 7, verify: true });
    const drawn = await inked();
    assert.equal(drawn.length, 10);
    drawn.forEach((levels, i) => {
      const rows = Array.from({ length: 28 }, (_, y) =>
        expected.pixels.subarray(y * 280 + i * 28, y * 280 + i * 28 + 28),
      );
      assertClose(levels, Buffer.concat(rows));
    });
    assert.match(await status(), /^Drew 10 digits in \d+ ms\.$/);
  });

  test("draws a digit for each press", async () => {
    await visit("draw?model=cgan&seed=7&digits=");
    assert.equal(await status(), "Press a digit.");
    await page.getByRole("button", { name: "3", exact: true }).click();
    await page.keyboard.press("1");
    await page.keyboard.press("4");
    await page.waitForFunction(() => document.querySelectorAll("main canvas").length === 3);
    await settled();
    const expected = await (await generator("cgan")).generate(3, { digit: [3, 1, 4], seed: 7 });
    (await inked()).forEach((levels, i) => assertClose(levels, expected.subarray(i * PIXELS, (i + 1) * PIXELS)));
    assert.match(page.url(), /#draw\?model=cgan&seed=7&digits=314$/);
    assert.equal(await page.locator("code").first().textContent(), 'mnistgen.load("cgan").draw([3, 1, 4], seed=7)');
    await page.getByRole("button", { name: "Undo" }).click();
    await page.keyboard.press("Backspace");
    await page.waitForFunction(() => document.querySelectorAll("main canvas").length === 1);
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByText("Press a digit.").waitFor();
    assert.equal(await page.locator("main canvas").count(), 0);
  });

  test("changes model and seed", async () => {
    await visit("draw?model=vae&seed=7&digits=5");
    await page.getByLabel("Model").selectOption("gan");
    await page.getByLabel("Seed").fill("8");
    await page.waitForFunction(() => /model=gan&seed=8/.test(location.hash));
    await settled();
    const expected = await (await generator("gan")).draw(5, { seed: 8, verify: true });
    assertClose((await inked())[0], expected.pixels);
    await page.getByRole("button", { name: "New seed" }).click();
    await settled();
    assert.match(page.url(), /model=gan&seed=\d+&digits=5$/);
  });

  test("writes a date and saves it", async () => {
    await visit("write");
    await page.getByLabel("Text").fill("1999-12-31");
    await page.getByText("Wrote 8 digits.").waitFor();
    await settled();
    const expected = await (await generator("cgan")).text("1999-12-31", { seed: 7 });
    assertClose((await inked())[0], expected.pixels);
    const [png] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save PNG" }).click(),
    ]);
    assert.equal(png.suggestedFilename(), "1999-12-31.png");
    const { width, height } = decode(await readFile(await png.path()));
    assert.deepEqual([width, height], [8 * expected.width, 8 * 28]);
    const [svg] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save SVG" }).click(),
    ]);
    assert.match(await readFile(await svg.path(), "utf8"), /^<svg /);
  });

  test("shows errors in one sentence and recovers", async () => {
    await visit("write?text=abc");
    assert.match(await status(), /^text is "abc"; expected at least one digit/);
    await page.getByLabel("Text").fill("5");
    await page.getByText("Wrote 1 digits.").waitFor();
    await page.getByLabel("Seed").fill("minus one");
    await page.getByText('seed is "minus one"; expected an integer from 0 to 18446744073709551615.').waitFor();
    await page.getByLabel("Seed").fill("1");
    await page.getByText("Wrote 1 digits.").waitFor();
  });

  test("decodes points of the latent plane by keyboard and by dragging", async () => {
    await visit("latent?x=0.25&y=0.75");
    const { normalQuantile } = await import("../src/index.js");
    const vae = await generator("vae");
    const at = async (x, y) => (await vae.decode([x, y].map(normalQuantile))).map((ink) => ink * 255);
    assertClose((await inked(".large"))[0], await at(0.25, 0.75));
    const map = page.getByRole("application");
    await map.focus();
    for (const key of ["ArrowRight", "ArrowUp", "Shift+ArrowRight"]) await page.keyboard.press(key);
    await page.waitForFunction(() => location.hash === "#latent?x=0.310&y=0.760");
    await settled();
    assertClose((await inked(".large"))[0], await at(0.31, 0.76));
    const box = await map.boundingBox();
    await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.5 * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.8 * box.width, box.y + 0.1 * box.height, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction(() => location.hash === "#latent?x=0.800&y=0.900");
    await settled();
    assertClose((await inked(".large"))[0], await at(0.8, 0.9));
    const drawn = page.locator(".rate").textContent();
    await page.mouse.down(); // the digit follows a ring that never rests
    for (let i = 0; (await page.locator(".rate").textContent()) === (await drawn); i++) {
      assert.ok(i < 50);
      await page.mouse.move(box.x + (i % 2 ? 0.3 : 0.4) * box.width, box.y + 0.5 * box.height);
    }
    await page.mouse.up();
    await page.getByLabel("x", { exact: true }).fill("0.5");
    await page.waitForFunction(() => location.hash.startsWith("#latent?x=0.500&y=0."));
  });

  test("morphs one digit into another and saves a GIF", async () => {
    await visit("morph?seed=14&from=3&to=8&frame=24");
    const { frames } = await (await generator("cgan")).walk({ seeds: 14, digits: [3, 8], frames: 24, loop: true });
    const frame = (i) => frames.subarray(i * PIXELS, (i + 1) * PIXELS);
    assertClose((await inked())[0], frame(24));
    await page.getByLabel("On the way").fill("7");
    await page.waitForFunction(() => /frame=7/.test(location.hash));
    await settled();
    assertClose((await inked())[0], frame(7));
    const [gif] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save GIF" }).click(),
    ]);
    const content = await readFile(await gif.path());
    assert.equal(content.subarray(0, 6).toString(), "GIF89a");
    assert.deepEqual([content.readUInt16LE(6), content.readUInt16LE(8)], [224, 224]);
    await page.getByRole("button", { name: "Play" }).click();
    const before = (await inked())[0];
    await page.waitForFunction((before) => {
      const canvas = document.querySelector("main canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, 28, 28);
      return before.some((level, i) => level !== data[4 * i + 3]);
    }, before);
    await page.getByRole("button", { name: "Pause" }).click();
  });

  test("morphs between latents of a model without labels", async () => {
    await visit("morph?model=gan&seed=1&frame=24");
    assert.ok(await page.getByLabel("From").isDisabled());
    assertClose((await inked())[0], await (await generator("gan")).generate(1, { seed: 2 }));
  });

  test("compares the models on one seed", async () => {
    await visit("compare?seed=3");
    const rows = page.locator(".row");
    for (const [title, name] of [
      ["VAE, tuned", "vae"],
      ["GAN, tuned", "gan"],
      ["Conditional GAN, tuned", "cgan"],
    ]) {
      const row = rows.filter({ has: page.getByRole("heading", { name: `${title} recipe`, exact: true }) });
      const [levels] = await row.locator("canvas").evaluateAll((canvases) =>
        canvases.map((canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return Array.from(data.filter((_, i) => i % 4 === 3));
        }),
      );
      assertClose(levels, (await (await generator(name)).draw(undefined, { n: 10, seed: 3 })).pixels);
      assert.match(await row.textContent(), /Legible\d+\.\d %Fréchet distance/);
    }
  });

  test("verifies and redraws", async () => {
    await visit("verify?model=vae&seed=7");
    const vae = await generator("vae");
    const first = await vae.generate(12, { seed: 7 });
    (await inked()).forEach((levels, i) => assertClose(levels, first.subarray(i * PIXELS, (i + 1) * PIXELS)));
    const { images, attempts } = await vae.generateVerified(12, { seed: 7 });
    const doubtful = attempts.filter((count) => count > 1).length;
    assert.equal(await page.locator(".doubtful").count(), doubtful);
    await page.getByRole("button", { name: "Redraw illegible digits" }).click();
    await page
      .getByText(`All 12 are legible, after ${attempts.reduce((sum, count) => sum + count)} attempts.`)
      .waitFor();
    (await inked()).forEach((levels, i) => assertClose(levels, images.subarray(i * PIXELS, (i + 1) * PIXELS)));
    assert.equal(await page.locator(".doubtful").count(), 0);
  });

  test("a link reproduces the picture, and the history works", async () => {
    await visit("write?model=cgan&seed=18446744073709551615&text=31");
    const shown = await inked();
    const other = await open();
    await visit(new URL(page.url()).hash.slice(1), other);
    assert.deepEqual(await inked("main canvas", other), shown);
    await other.getByRole("link", { name: "Morph" }).click();
    await other.getByRole("heading", { name: "Morph" }).waitFor();
    await other.goBack();
    await other.getByRole("heading", { name: "Write" }).waitFor();
    await settled(other);
    assert.deepEqual(await inked("main canvas", other), shown);
    await other.context().close();
  });

  test("works without a network after the first visit", async () => {
    const other = await open();
    await visit("write?text=42", other);
    const shown = await inked("main canvas", other);
    await other.evaluate(() => navigator.serviceWorker.ready);
    await other.reload(); // the worker answers from now on, and keeps the CGAN
    await settled(other);
    await other.context().setOffline(true);
    server.stop();
    await other.reload();
    await settled(other);
    assert.deepEqual(await inked("main canvas", other), shown);
    await visit("draw", other);
    assert.equal((await inked("main canvas", other)).length, 10);
    server.resume();
    await other.context().close();
  });

  test("offers a new version", async () => {
    const other = await open();
    await visit("draw", other);
    await other.evaluate(() => navigator.serviceWorker.ready);
    await other.reload();
    await settled(other);
    assert.ok(await other.getByRole("alert").isHidden());
    const worker = await readFile(new URL("sw.js", DIST), "utf8");
    server.replaced["sw.js"] = worker.replace(/VERSION = "\w+"/, 'VERSION = "next"');
    await other.evaluate(async () => (await navigator.serviceWorker.ready).update());
    await other.getByText("A new version of this page is available.").waitFor();
    await Promise.all([other.waitForEvent("load"), other.getByRole("button", { name: "Reload" }).click()]);
    await settled(other);
    assert.deepEqual(await other.evaluate(() => caches.keys()), ["mnistgen next"]);
    delete server.replaced["sw.js"];
    await other.context().close();
  });

  test("reports a damaged or missing model", async () => {
    const other = await open({ serviceWorkers: "block" }, []);
    await other.route("**/cgan.onnx", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.body()).subarray(0, 1000) });
    });
    await other.route("**/gan.onnx", (route) =>
      route.fulfill({ status: 200, contentType: "text/html", body: "<!doctype html>" }),
    );
    await other.goto(`${server.url}#write`);
    await other.getByText(/cgan\.onnx does not match its SHA-256\. Download it again\.$/).waitFor();
    await other.getByLabel("Model").selectOption("gan");
    await other.getByText(/gan\.onnx is a web page instead of the expected file/).waitFor();
    await other.getByLabel("Model").selectOption("vae");
    await other.getByText("Wrote 8 digits.").waitFor();
    await other.context().close();
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`looks right and is accessible in ${colorScheme} colors`, async () => {
      await mkdir(SCREENSHOTS, { recursive: true });
      const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
      for (const width of [360, 768, 1440]) {
        const other = await open({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
        for (const view of VIEWS) {
          await visit(view, other);
          const path = new URL(`${view}-${width}-${colorScheme}.png`, SCREENSHOTS).pathname;
          await other.screenshot({ path, fullPage: true });
          const overflow = await other.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.equal(overflow, 0, `${view} is wider than ${width}`);
          if (width === 768) continue;
          await other.evaluate(axe);
          const { violations } = await other.evaluate(() => globalThis.axe.run());
          assert.deepEqual(
            violations.map(({ id, nodes }) => [view, id, nodes[0].html]),
            [],
          );
        }
        await other.context().close();
      }
    });
  }

  test("nothing went wrong, and no other host was asked", () => assert.deepEqual(wrong, []));
});
