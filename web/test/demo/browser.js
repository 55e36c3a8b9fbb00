/** What the tests of the demo page share: Chromium, a server of the built page, and how to look at it. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

import { load } from "../../src/index.js";
import { CHROMIUM, FLAGS, MODELS, node, serveFolder } from "../helpers.js";

export const DIST = new URL("../../dist/", import.meta.url);
export const VIEWS = ["draw", "write", "latent", "morph", "compare", "verify"];

/** Why the tests cannot run; false if they can. */
export const skip = !CHROMIUM ? "needs Chromium" : !existsSync(DIST) ? "needs `npm run build`" : false;

/** The page asks for models of the seed recipe, and Chromium for an icon of the list of licenses. */
const OPTIONAL = /\/(models\/seed\/\w+\.json|favicon\.ico)$/;

/** Chromium, a server, and what went wrong: errors on the console, and requests to other hosts. */
export class Browser {
  wrong = [];

  async start() {
    [this.chromium, this.server] = await Promise.all([
      chromium.launch({ executablePath: CHROMIUM, args: FLAGS }),
      serveFolder(DIST),
    ]);
    return this;
  }

  async stop() {
    await this.chromium?.close();
    this.server?.close();
  }

  /** Open a page in a context of its own. Requests to other hosts fail. */
  async open(options = {}, noted = this.wrong) {
    const context = await this.chromium.newContext({ reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error" && !OPTIONAL.test(message.location().url)) noted.push(message.text());
    });
    page.on("pageerror", (error) => noted.push(error.message));
    await context.route(
      (url) => url.origin !== this.server.url.origin && url.protocol.startsWith("http"),
      (route) => {
        noted.push(route.request().url());
        route.abort();
      },
    );
    return page;
  }

  /** Go to a view and wait until it has drawn. */
  async visit(page, hash) {
    await page.goto(`${this.server.url}#${hash}`);
    await settled(page);
  }
}

/** Wait until the view has drawn. */
export function settled(page) {
  return page.waitForFunction(() => {
    const view = document.querySelector("main");
    const drawn = view.querySelector("canvas") || document.querySelector("#status").textContent;
    return !view.hasAttribute("aria-busy") && drawn;
  });
}

/** Wait until the end of the address is as expected. */
export function addressEnds(page, end) {
  return page.waitForFunction((end) => location.hash.endsWith(end), end);
}

/** Return the levels of ink on canvases, each as an array. */
export function inked(page, selector = "main canvas") {
  return page.locator(selector).evaluateAll((canvases) =>
    canvases.map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return Array.from(data.filter((_, i) => i % 4 === 3));
    }),
  );
}

export function assertClose(levels, expected) {
  assert.equal(levels.length, expected.length);
  const most = levels.reduce((most, level, i) => Math.max(most, Math.abs(level - expected[i])), 0);
  assert.ok(most <= 1, `${most} levels off`);
}

export function status(page) {
  return page.locator("#status").textContent();
}

const generators = {};

/** Return the package's generator in Node.js. */
export function generator(name) {
  return (generators[name] ??= load(name, { artifacts: MODELS, ort: node }));
}
