/** The demo page is accessible, fits each screen, and is shown in web/screenshots/, which you should look at. */

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { Browser, skip, VIEWS } from "./browser.js";

const SCREENSHOTS = new URL("../../screenshots/", import.meta.url);
const AXE = new URL("../../node_modules/axe-core/axe.min.js", import.meta.url);

describe("design", { skip }, () => {
  const browser = new Browser();

  before(() => browser.start());
  after(() => browser.stop());

  for (const colorScheme of ["light", "dark"]) {
    test(`looks right and is accessible in ${colorScheme} colors`, async () => {
      await mkdir(SCREENSHOTS, { recursive: true });
      const axe = await readFile(AXE, "utf8");
      const page = await browser.open({ colorScheme, bypassCSP: true });
      for (const view of VIEWS) {
        await browser.visit(page, view);
        for (const width of [1440, 768, 360]) {
          await page.setViewportSize({ width, height: 900 });
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.equal(overflow, 0, `${view} is wider than ${width}`);
          const path = new URL(`${view}-${width}-${colorScheme}.png`, SCREENSHOTS).pathname;
          await page.screenshot({ path, fullPage: true });
          if (width === 768) continue;
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => globalThis.axe.run());
          const found = violations.map(({ id, nodes }) => [view, width, id, nodes[0].html]);
          assert.deepEqual(found, []);
        }
      }
      await page.context().close();
    });
  }

  test("nothing went wrong, and no other host was asked", () => assert.deepEqual(browser.wrong, []));
});
