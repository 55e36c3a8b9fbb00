/** The built page in Firefox: every view draws, without errors and without asking another host. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import puppeteer from "puppeteer-core";

import { FIREFOX, serveFolder } from "../helpers.js";

const DIST = new URL("../../dist/", import.meta.url);
const CANVASES = { draw: 10, write: 1, latent: 2, morph: 8, compare: 3, verify: 12 }; // compare has more with seed-models/
const skip = !FIREFOX ? "needs Firefox" : !existsSync(DIST) && "needs `npm run build`";

describe("demo page in Firefox", { skip }, () => {
  let browser, server, page;
  const wrong = [];

  before(async () => {
    [browser, server] = await Promise.all([
      puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true }),
      serveFolder(DIST),
    ]);
    page = await browser.newPage();
    page.on("pageerror", (error) => wrong.push(error.message));
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol.startsWith("http") && origin !== server.url.origin) wrong.push(request.url());
    });
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  for (const [view, least] of Object.entries(CANVASES)) {
    test(`draws in the view ${view}`, async () => {
      await page.goto(`${server.url}#${view}`);
      const drawn = (least) =>
        !document.querySelector("main").hasAttribute("aria-busy") &&
        document.querySelectorAll("main canvas").length >= least;
      await page.waitForFunction(drawn, { timeout: 30_000 }, least);
      assert.deepEqual(wrong, []);
    });
  }
});
