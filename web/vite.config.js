/** Builds the demo page: `vite build` writes it to dist/, `vite` serves it while you edit. */

import { createHash } from "node:crypto";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { defineConfig } from "vite";

const ROOT = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const DIST = join(ROOT, "dist");
/** What the page's cache does not hold: the service worker keeps models in another one, and the API docs need a server. */
const NOT_PAGE = /^models\/|^docs\/|^sw\.js$|\.map$/;
/** The models that the page offers; those in float16 are for other pages. */
const MODEL = /(?<!-fp16)\.onnx$|\.json$/;
/** What every view needs, and what the browser would discover late. */
const NEEDED = /ort[.-].*\.(wasm|js)$/;

export default defineConfig({
  root: join(ROOT, "demo"),
  base: "./",
  resolve: { alias: { mnistgen: join(ROOT, "src", "index.js") } },
  build: {
    outDir: DIST,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.txt" },
  },
  plugins: [
    { name: "mnistgen", apply: "build", transformIndexHtml: { order: "post", handler: preload }, closeBundle: finish },
    { name: "mnistgen-dev", apply: "serve", configureServer: (server) => void server.middlewares.use(sendModel) },
  ],
});

/** Ask the browser to fetch ONNX Runtime while it reads the page. */
function preload(html, { bundle }) {
  const needed = Object.keys(bundle).filter((file) => NEEDED.test(file));
  return needed.map((file) => {
    const isScript = file.endsWith(".js");
    const attrs = isScript ? { rel: "modulepreload" } : { rel: "preload", as: "fetch" };
    return { tag: "link", attrs: { ...attrs, crossorigin: true, href: `./${file}` }, injectTo: "head" };
  });
}

/** Answer requests for models/ while you edit. */
async function sendModel(request, response, next) {
  const name = /^\/models\/([\w-]+\.(onnx|json))$/.exec(request.url.split("?")[0])?.[1];
  const content = name && (await readFile(join(ROOT, "models", name)).catch(() => undefined));
  if (content) response.end(content);
  else next();
}

/** Add the models and the service worker. */
async function finish() {
  await copyModels(join(ROOT, "models"), join(DIST, "models"));
  await copyModels(join(ROOT, "seed-models"), join(DIST, "models", "seed"));
  await copyApiDocs(join(DIST, "docs"));
  const files = (await list(DIST)).filter((path) => !NOT_PAGE.test(path)).sort();
  const hash = createHash("sha256");
  for (const path of files) hash.update(path).update(await readFile(join(DIST, path)));
  const worker = (await readFile(join(ROOT, "demo", "sw.js"), "utf8"))
    .replace("__VERSION__", hash.digest("hex").slice(0, 16))
    .replace('["__FILES__"]', JSON.stringify(["./", ...files.filter((path) => path !== "index.html")]));
  await writeFile(join(DIST, "sw.js"), worker);
}

async function copyModels(from, to) {
  const names = await readdir(from).catch(() => []); // the models of the seed recipe are optional
  for (const name of names.filter((name) => MODEL.test(name))) await cp(join(from, name), join(to, name));
}

/** Add the page with the API docs of `mnistgen serve`, and Swagger UI, which it loads. */
async function copyApiDocs(to) {
  await cp(join(ROOT, "demo", "docs"), to, { recursive: true });
  const swagger = join(ROOT, "node_modules", "swagger-ui-dist");
  for (const name of ["swagger-ui.css", "swagger-ui-bundle.js"]) await cp(join(swagger, name), join(to, name));
  const texts = ["LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"].map((name) =>
    readFile(join(swagger, name), "utf8"),
  );
  await writeFile(join(to, "licenses.txt"), (await Promise.all(texts)).join("\n\n"));
}

async function list(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((path) => path.slice(folder.length + 1).replaceAll("\\", "/"));
}
