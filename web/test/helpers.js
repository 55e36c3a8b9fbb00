/** What the tests share: models, runtimes, and a web server on this machine. */

import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

process.env.ORT_DISABLE_TELEMETRY = "1"; // read on import
export const node = (await import("onnxruntime-node")).default;

export const MODELS = new URL("../models/", import.meta.url);

/**
 * Serve answers on this machine until the test ends.
 *
 * @param {import("node:test").TestContext} context
 * @param {(path: string) => Promise<{ status?: number, body: string | Uint8Array, length?: number }>} respond
 * @returns {Promise<URL>} The address of the server.
 */
export async function serve(context, respond) {
  const server = createServer(async (request, response) => {
    const { status = 200, body, length } = await respond(request.url);
    response.writeHead(status, { "content-length": length ?? body.length });
    response.end(body, () => length && response.destroy()); // shorter than promised
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  context.after(() => server.close());
  return new URL(`http://127.0.0.1:${server.address().port}/`);
}

/** Answer with the models, except for `changes`: functions from the content of a file to another one. */
export function models(changes = {}) {
  return async (path) => {
    const name = path.slice(1);
    const body = await readFile(new URL(name, MODELS)).catch(() => undefined);
    if (!body) return { status: 404, body: "" };
    const changed = changes[name]?.(body) ?? body;
    return changed.body === undefined ? { body: changed } : changed;
  };
}

/** Paths of the browsers that are installed. */
export const CHROMIUM = process.env.CHROMIUM ?? installed("chromium", "chromium-browser", "google-chrome");
export const FIREFOX = process.env.FIREFOX ?? installed("firefox-esr", "firefox");
export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".txt": "text/plain",
  ".mjs": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

/** Serve a folder on this machine. `stop` refuses all requests until `resume`; `replaced` has other contents by path. */
export async function serveFolder(folder) {
  let stopped = false;
  const replaced = {};
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname).slice(1) || "index.html";
    const file = new URL(path, folder);
    const inside = file.href.startsWith(folder.href);
    const content = replaced[path] ?? (inside && (await readFile(file).catch(() => undefined)));
    if (stopped) return request.socket.destroy();
    response.writeHead(content ? 200 : 404, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" });
    response.end(content || "");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: new URL(`http://127.0.0.1:${server.address().port}/`),
    replaced,
    stop: () => (stopped = true),
    resume: () => (stopped = false),
    close: () => server.close() && server.closeAllConnections(),
  };
}

function installed(...names) {
  return names.map((name) => `/usr/bin/${name}`).find(existsSync);
}
