/**
 * Compare mnistgen with TensorFlow.js in Chromium: the same networks and weights, one thread, taking turns.
 *
 * Run: npm ci --prefix web && npm --prefix web run build && npm ci --prefix web/benchmark && node web/benchmark/run.js
 */

import { cpus } from "node:os";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { chromium } from "playwright-core";

import { CHROMIUM, FLAGS, serveFolder } from "../test/helpers.js";

const ROUNDS = 21;
const here = fileURLToPath(new URL(".", import.meta.url));

await build({
  entryPoints: [`${here}page.js`],
  outfile: `${here}built/page.js`,
  bundle: true,
  format: "esm",
  logLevel: "error",
  external: ["/web/*"],
});
const [server, browser] = await Promise.all([
  serveFolder(new URL("../../", import.meta.url)),
  chromium.launch({ executablePath: CHROMIUM, args: FLAGS }),
]);
const page = await browser.newPage();
page.on("pageerror", (error) => console.error(error.message));
await page.goto(`${server.url}web/test/blank.html`);
const results = await page.evaluate(
  async (rounds) => (await import("/web/benchmark/built/page.js")).run(rounds),
  ROUNDS,
);
console.log(
  `${cpus()[0].model}, Chromium ${browser.version()}, one thread, medians of ${ROUNDS} rounds that take turns\n`,
);
console.log("| model | batch | mnistgen, ms per digit | TensorFlow.js, ms per digit | ratio | levels apart |");
console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
for (const { name, batch, ours, theirs, apart } of results) {
  const ratio = theirs ? (theirs / ours).toFixed(2) : "";
  console.log(`| ${name} | ${batch} | ${ours.toFixed(2)} | ${theirs?.toFixed(2) ?? ""} | ${ratio} | ${apart ?? ""} |`);
}
await browser.close();
server.close();
