/** Read files by URL: over HTTP with progress, or from disk in Node.js. */

import { ArtifactError } from "./errors.js";

const CHECK = "Check the URL: many servers answer unknown addresses with their start page";
/** Until version 8, Vite's development server moved scripts of packages away from the files beside them. */
const EXCLUDE = 'Add optimizeDeps: { exclude: ["mnistgen"] } to vite.config.js';

/** Bytes of a manifest at most, as in Python. */
const MOST_MANIFEST_BYTES = 10_000_000;

/**
 * Return the bytes at `url`.
 *
 * @param {URL} url
 * @param {import("./model.js").ReadOptions & { total?: number, missing?: string }} [options] `total` is the expected
 *   size in bytes, `missing` the code of the error if there is no such file.
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function read(url, { onProgress, signal, total = 0, missing = "model-missing" } = {}) {
  signal?.throwIfAborted();
  const bytes = await fetchBytes(url, { onProgress, signal, total, missing });
  if (looksLikeHtml(bytes)) {
    throw new ArtifactError(`${url} is a web page instead of the expected file`, {
      code: missing,
      remedy: url.pathname.includes("/.vite/deps/") ? EXCLUDE : CHECK,
    });
  }
  return bytes;
}

/**
 * Tell whether a file begins as a web page does. No model or manifest begins with "<".
 *
 * @param {Uint8Array} bytes
 */
function looksLikeHtml(bytes) {
  return new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().startsWith("<");
}

/**
 * @param {URL} url
 * @param {import("./model.js").ReadOptions & { total: number, missing: string }} options
 */
async function fetchBytes(url, { onProgress, signal, total, missing }) {
  try {
    if (url.protocol === "file:") return readFile(url);
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    if (!response.body) return new Uint8Array(await response.arrayBuffer());
    const onLoaded = (/** @type {number} */ loaded) => onProgress?.({ loaded, total, file: fileName(url) });
    return await collect(response.body, total || MOST_MANIFEST_BYTES, onLoaded);
  } catch (error) {
    signal?.throwIfAborted();
    const { code, cause, message } = /** @type {any} */ (error);
    throw new ArtifactError(`${url} cannot be read (${code ?? cause?.code ?? message})`, {
      code: missing,
      remedy: "Check the URL of the artifacts",
      cause: error,
    });
  }
}

/**
 * Return the bytes of a stream. One that does not end after `most` bytes is cut there: its hash or syntax is then wrong.
 *
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} most
 * @param {(loaded: number) => void} onLoaded
 */
async function collect(stream, most, onLoaded) {
  const parts = [];
  let loaded = 0;
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    loaded += part.value.length;
    if (loaded > most) {
      await reader.cancel();
      break;
    }
    onLoaded(loaded);
  }
  return new Uint8Array(await new Blob(/** @type {BlobPart[]} */ (parts)).arrayBuffer());
}

/** @param {URL} url */
function readFile(url) {
  const { process } = /** @type {any} */ (globalThis);
  return new Uint8Array(process.getBuiltinModule("node:fs").readFileSync(url)); // an import would stop bundlers
}

/** @param {URL} url */
function fileName(url) {
  return url.pathname.split("/").pop() ?? "";
}
