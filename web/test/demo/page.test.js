/** The demo page as a whole: links, the history, the network, damaged files, and its size. */

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";

import { Browser, DIST, inked, settled, skip } from "./browser.js";

describe("page", { skip }, () => {
  const browser = new Browser();

  before(() => browser.start());
  after(() => browser.stop());

  test("a link reproduces the picture, and the history works", async () => {
    const page = await browser.open({ permissions: ["clipboard-read", "clipboard-write"] });
    await browser.visit(page, "write?model=cgan&seed=18446744073709551615&text=31");
    const shown = await inked(page);
    await page.getByRole("button", { name: "Copy link" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    const other = await browser.open();
    await other.goto(link);
    await settled(other);
    assert.deepEqual(await inked(other), shown);
    await other.getByRole("link", { name: "Morph" }).click();
    await other.getByRole("heading", { name: "Morph" }).waitFor();
    await other.goBack();
    await other.getByRole("heading", { name: "Write" }).waitFor();
    await settled(other);
    assert.deepEqual(await inked(other), shown);
    await other.getByRole("link", { name: "Skip to the digits" }).press("Enter");
    assert.equal(await other.evaluate(() => document.activeElement.id), "view");
    assert.equal(other.url(), link);
    await Promise.all([page.context().close(), other.context().close()]);
  });

  test("works without a network after the first visit", async (context) => {
    context.after(() => browser.server.resume());
    const page = await browser.open();
    await browser.visit(page, "write?text=42");
    const shown = await inked(page);
    await page.getByRole("button", { name: /^Keep all models offline/ }).waitFor();
    await page.waitForFunction(async () => {
      const keys = await (await caches.open("mnistgen models")).keys();
      return keys.some(({ url }) => url.includes("/cgan.onnx?")); // fetched before the service worker ran
    });
    await page.context().setOffline(true);
    browser.server.stop();
    await page.reload();
    await settled(page);
    assert.deepEqual(await inked(page), shown);
    await browser.visit(page, "draw");
    assert.equal((await inked(page)).length, 10);
    await page.getByRole("link", { name: "Licenses" }).click();
    await page.getByText(/^# Licenses/).waitFor();
    await page.context().close();
  });

  test("keeps all models on request", async (context) => {
    context.after(() => browser.server.resume());
    const noted = [];
    const page = await browser.open({}, noted);
    await browser.visit(page, "draw");
    await page.getByRole("button", { name: /^Keep all models offline \(\d+ MB\)$/ }).click();
    await page.getByText("All models are kept for use without a network.").waitFor();
    await page.context().setOffline(true);
    browser.server.stop();
    await browser.visit(page, "morph?model=gan&seed=1");
    assert.equal(await page.getByRole("button", { name: "Save GIF" }).isEnabled(), true);
    await page.context().close();
  });

  test("offers a new version", async () => {
    const page = await browser.open();
    await browser.visit(page, "draw");
    await page.waitForFunction(() => navigator.serviceWorker.controller);
    assert.ok(await page.getByRole("alert").isHidden());
    const worker = await readFile(new URL("sw.js", DIST), "utf8");
    browser.server.replaced["sw.js"] = worker.replace(/VERSION = "\w+"/, 'VERSION = "next"');
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
    await page.getByText("A new version is available.").waitFor();
    await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: "Reload" }).click()]);
    await settled(page);
    const names = await page.evaluate(() => caches.keys());
    assert.deepEqual(names.sort(), ["mnistgen models", "mnistgen next"]);
    delete browser.server.replaced["sw.js"];
    await page.context().close();
  });

  test("reports a damaged or missing model, and goes on", async () => {
    const page = await browser.open({ serviceWorkers: "block" }, []);
    await page.route("**/cgan.onnx", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.body()).subarray(0, 1000) });
    });
    await page.route("**/gan.onnx", (route) =>
      route.fulfill({ status: 200, contentType: "text/html", body: "<!doctype html>" }),
    );
    await page.route("**/cgan-int8.onnx", (route) => route.fulfill({ status: 404 }));
    await page.goto(`${browser.server.url}#write`);
    await page.getByText(/cgan\.onnx does not match its SHA-256\. Download it again\.$/).waitFor();
    await page.getByLabel("Model").selectOption("gan");
    await page.getByText(/gan\.onnx is a web page instead of the expected file/).waitFor();
    await page.getByLabel("Model").selectOption("cgan-int8");
    await page.getByText(/cgan-int8\.onnx/).waitFor();
    await page.getByLabel("Model").selectOption("vae");
    await page.getByText("Wrote 8 digits.").waitFor();
    await browser.visit(page, "compare");
    assert.ok((await inked(page, '[data-model="vae"] canvas'))[0].some((level) => level > 0));
    await page.context().close();
  });

  test("says so without WebAssembly, and for unknown models", async () => {
    const page = await browser.open({}, []);
    await browser.visit(page, "write?model=x");
    await page.getByText(/^model is "x"; expected one of vae, gan, cgan, cgan-int8/).waitFor();
    await page.addInitScript(() => delete globalThis.WebAssembly);
    await page.reload();
    await page.getByText(/^This browser has no WebAssembly\. Use a current browser/).waitFor();
    await page.context().close();
  });

  for (const file of ["**/*.wasm", "**/ort.wasm*.js"]) {
    test(`says so if ${file.slice(3)} is missing`, async () => {
      const page = await browser.open({ serviceWorkers: "block" }, []);
      await page.route(file, (route) => route.fulfill({ status: 404 }));
      await page.goto(browser.server.url.href);
      await page.getByText("ONNX Runtime could not be loaded. Check the network and reload the page.").waitFor();
      assert.equal(await page.getByRole("progressbar").isVisible(), false);
      await page.context().close();
    });
  }

  test("shows how much of a model has been fetched", async () => {
    const page = await browser.open({ serviceWorkers: "block" });
    const asked = new Promise((resolve) => page.route("**/gan.onnx", resolve));
    await browser.visit(page, "draw");
    await page.getByLabel("Model").selectOption("gan");
    await page.getByRole("progressbar", { name: "Loading" }).waitFor();
    await (await asked).continue();
    await page.getByText(/^Drew 10 digits/).waitFor();
    assert.equal(await page.getByRole("progressbar").isVisible(), false);
    await page.context().close();
  });

  test("has less than 60 KB of JavaScript, and one copy of ONNX Runtime", async () => {
    const names = await readdir(new URL("assets/", DIST));
    const scripts = names.filter((name) => name.endsWith(".js") && !name.startsWith("ort"));
    const contents = await Promise.all(scripts.map((name) => readFile(new URL(`assets/${name}`, DIST))));
    assert.ok(contents.reduce((sum, content) => sum + gzipSync(content).length, 0) < 60_000);
    assert.equal(names.filter((name) => name.endsWith(".wasm")).length, 1);
  });

  test("nothing went wrong, and no other host was asked", () => assert.deepEqual(browser.wrong, []));
});
