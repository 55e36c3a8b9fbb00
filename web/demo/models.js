/** Models are loaded when a view needs them, once, with a progress bar. */

import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";

import { load } from "mnistgen";

const ARTIFACTS = new URL("models/", document.baseURI);
const loaded = new Map();

/** Names of the models, and what to call them. */
export const MODELS = [
  ["vae", "VAE"],
  ["gan", "GAN"],
  ["cgan", "Conditional GAN"],
  ["cgan-int8", "Conditional GAN, int8"],
];

/**
 * Return a generator.
 *
 * @param {string} name
 * @param {(share: number | undefined) => void} onShare Takes the share that has been fetched; undefined at the end.
 * @param {string} [folder] Folder below models/, for example "seed/".
 */
export function model(name, onShare, folder = "") {
  const key = folder + name;
  if (!loaded.has(key)) {
    const onProgress = ({ loaded, total }) => onShare(Math.min(loaded / total, 1));
    const started = load(name, {
      artifacts: new URL(folder, ARTIFACTS),
      wasm: new URL(wasm, document.baseURI),
      onProgress,
    });
    started.catch(() => loaded.delete(key)); // so that another try is possible
    started.finally(() => onShare(undefined)).catch(() => {});
    loaded.set(key, started);
  }
  return loaded.get(key);
}

/** Return the parsed JSON file at a path below models/, or undefined if there is none. */
export async function facts(path) {
  try {
    return await (await fetch(new URL(path, ARTIFACTS))).json();
  } catch {
    return undefined;
  }
}
