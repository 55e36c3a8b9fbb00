/** The packed package works as users consume it, and gives the same digits in each place. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { build } from "esbuild";
import { chromium } from "playwright-core";
import * as vite from "vite";

import { load } from "../src/index.js";
import { CHROMIUM, FLAGS, MODELS, node, serveFolder } from "./helpers.js";

const WEB = fileURLToPath(new URL("..", import.meta.url));
const ORT = join(WEB, "node_modules", "onnxruntime-web", "dist");

/** The app of the README: TypeScript, in which a wrong model, option or type is an error. */
const APP = `import { load, type Picture } from "mnistgen";
import vae from "mnistgen/models/vae";

const gen = await load(vae);
const picture: Picture = await gen.draw(undefined, { seed: 7n });
document.querySelector("img")!.src = picture.toDataURL({ scale: 4 });
document.title = "drawn";
`;
const WRONG = `import { load } from "mnistgen";
import vae from "mnistgen/models/vae";
// @ts-expect-error
await load(5);
// @ts-expect-error
await load(vae, { wasms: "x" });
const gen = await load(vae);
// @ts-expect-error
await gen.draw("five");
// @ts-expect-error
const text: string = await gen.generate(1);
export { text };
`;
const PAGE = `<!doctype html><title></title><link rel="icon" href="data:," /><img alt="" /><script type="module" src="./main.ts"></script>`;

describe("packed package", () => {
  let folder, expected, browser;

  before(async () => {
    folder = install();
    const gen = await load("vae", { artifacts: MODELS, ort: node });
    expected = (await gen.draw(undefined, { seed: 7 })).toDataURL({ scale: 4 });
    await gen.close();
    browser = CHROMIUM && (await chromium.launch({ executablePath: CHROMIUM, args: FLAGS }));
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Return a new project in which the tarball and its dependencies are installed. */
  function install() {
    const created = mkdtempSync(join(tmpdir(), "mnistgen-"));
    const modules = join(created, "node_modules");
    mkdirSync(join(modules, "mnistgen"), { recursive: true });
    const pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination", created];
    execFileSync("npm", pack, { cwd: WEB, shell: process.platform === "win32" });
    const [tarball] = readdirSync(created).filter((name) => name.endsWith(".tgz"));
    execFileSync("tar", ["xzf", tarball, "--strip-components=1", "-C", "node_modules/mnistgen"], { cwd: created });
    for (const name of ["onnxruntime-web", "onnxruntime-common", "fast-png", "fflate", "iobuffer", "@noble"]) {
      symlinkSync(join(WEB, "node_modules", name), join(modules, name), "junction");
    }
    return created;
  }

  /** Write the files of an app into a folder of the project, and return its path. */
  function app(name, files) {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
    return path;
  }

  /** Check that a page shows the digit, and that it asked no other host. */
  async function assertDrawn(context, url) {
    const page = await browser.newPage();
    context.after(() => page.close());
    const wrong = [];
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    page.on("pageerror", (error) => wrong.push(error.message));
    page.on(
      "request",
      (request) => request.url().startsWith("http") && assert.equal(new URL(request.url()).host, new URL(url).host),
    );
    await page.goto(`${url}`);
    await page.waitForFunction(() => document.title === "drawn", null, { timeout: 20_000 }).catch(() => {});
    assert.deepEqual(wrong, []);
    assert.equal(await page.getAttribute("img", "src"), expected);
  }

  async function assertServed(context, path) {
    const server = await serveFolder(pathToFileURL(`${path}/`));
    context.after(() => server.close());
    await assertDrawn(context, server.url);
  }

  test("contains its license and no tests", () => {
    const files = readdirSync(join(folder, "node_modules", "mnistgen")).sort();
    const expected = ["LICENSE", "NOTICE", "README.md", "bundle", "models", "package.json", "src", "types"];
    assert.deepEqual(files, expected);
  });

  test("is typed", () => {
    const path = app("types", { "main.ts": APP, "wrong.ts": WRONG });
    const options = ["--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--lib", "es2023,dom"];
    const tsc = join(WEB, "node_modules", "typescript", "bin", "tsc");
    const checked = ["--moduleResolution", "bundler", "--types", "", "main.ts", "wrong.ts"];
    execFileSync(process.execPath, [tsc, ...options, ...checked], { cwd: path, stdio: "pipe" });
  });

  test("draws in Node.js", () => {
    const script = `import { load } from "mnistgen"; import vae from "mnistgen/models/vae";
      console.log((await (await load(vae)).draw(undefined, { seed: 7 })).toDataURL({ scale: 4 }));`;
    const path = app("node", { "main.mjs": script });
    assert.equal(execFileSync(process.execPath, ["main.mjs"], { cwd: path, encoding: "utf8" }).trim(), expected);
  });

  describe("in Chromium", { skip: !CHROMIUM && "needs Chromium" }, () => {
    const config = { configFile: false, logLevel: "error" };

    test("draws in an app that Vite builds", async (context) => {
      const path = app("vite", { "index.html": PAGE, "main.ts": APP });
      await vite.build({ ...config, root: path, build: { target: "es2022" } });
      await assertServed(context, join(path, "dist"));
    });

    // Older versions of Vite need the package to be excluded.
    for (const [name, exclude] of Object.entries({ dev: [], "dev-excluded": ["mnistgen"] })) {
      test(`draws in Vite's development server (${name})`, async (context) => {
        const path = app(name, { "index.html": PAGE, "main.ts": APP });
        const server = { port: 0, host: "127.0.0.1", fs: { allow: [folder, WEB] } };
        const options = { ...config, root: path, cacheDir: join(path, "cache"), server, optimizeDeps: { exclude } };
        const started = await vite.createServer(options);
        await started.listen();
        context.after(() => started.close());
        await assertDrawn(context, started.resolvedUrls.local[0]);
      });
    }

    test("draws in a bundle of esbuild", async (context) => {
      const main = `import { load } from "mnistgen";
        const gen = await load("vae", { artifacts: "models/", wasm: "ort-wasm-simd-threaded.wasm" });
        document.querySelector("img").src = (await gen.draw(undefined, { seed: 7 })).toDataURL({ scale: 4 });
        document.title = "drawn";`;
      const path = app("esbuild", { "index.html": PAGE.replace("main.ts", "bundle.js"), "main.js": main });
      await build({
        entryPoints: [join(path, "main.js")],
        outfile: join(path, "bundle.js"),
        bundle: true,
        format: "esm",
        logLevel: "error",
      });
      copyAssets(path);
      await assertServed(context, path);
    });

    test("draws in a plain page, in a worker", async (context) => {
      const worker = `import { load } from "./mnistgen.js";
        const gen = await load("vae", { artifacts: "models/", wasm: "ort-wasm-simd-threaded.wasm" });
        postMessage((await gen.draw(undefined, { seed: 7 })).toDataURL({ scale: 4 }));`;
      const main = `const worker = new Worker("worker.js", { type: "module" });
        worker.onmessage = ({ data }) => (document.querySelector("img").src = data, document.title = "drawn");`;
      const path = app("plain", {
        "index.html": PAGE.replace("main.ts", "main.js"),
        "main.js": main,
        "worker.js": worker,
      });
      cpSync(join(folder, "node_modules", "mnistgen", "bundle", "mnistgen.js"), join(path, "mnistgen.js"));
      copyAssets(path);
      await assertServed(context, path);
    });
  });

  /** Copy the models and ONNX Runtime's WebAssembly beside a page, as the README says. */
  function copyAssets(path) {
    cpSync(join(folder, "node_modules", "mnistgen", "models"), join(path, "models"), { recursive: true });
    cpSync(join(ORT, "ort-wasm-simd-threaded.wasm"), join(path, "ort-wasm-simd-threaded.wasm"));
  }
});
