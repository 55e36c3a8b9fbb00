/** Read files by URL: over HTTP with progress, or from disk in Node.js. */

import { ArtifactError } from "./errors.js";

/**
 * Return the bytes at `url`.
 *
 * @param {URL} url
 * @param {import("./model.js").ReadOptions & { total?: number }} [options] `total` is the expected size in bytes.
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function read(url, { onProgress, signal, total = 0 } = {}) {
  const bytes = await fetchBytes(url, { onProgress, signal, total });
  if (looksLikeHtml(bytes)) {
    throw new ArtifactError(`${url} is a web page instead of the expected file`, {
      code: "model-missing",
      remedy: "Check the URL: many servers answer unknown addresses with their start page",
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
 * @param {import("./model.js").ReadOptions & { total: number }} options
 */
async function fetchBytes(url, { onProgress, signal, total }) {
  try {
    if (url.protocol === "file:") return readFile(url);
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    if (!onProgress || !response.body) return new Uint8Array(await response.arrayBuffer());
    return await collect(response.body, (loaded) => onProgress({ loaded, total, file: fileName(url) }));
  } catch (error) {
    signal?.throwIfAborted();
    const { code, cause, message } = /** @type {any} */ (error);
    throw new ArtifactError(`${url} cannot be read (${code ?? cause?.code ?? message})`, {
      code: "model-missing",
      remedy: "Check the URL of the artifacts",
      cause: error,
    });
  }
}

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {(loaded: number) => void} onLoaded
 */
async function collect(stream, onLoaded) {
  const parts = [];
  let loaded = 0;
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    loaded += part.value.length;
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
