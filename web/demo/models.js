/** Models are loaded when a view needs them, once, with a progress bar. */

import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";

import { DeviceError, load } from "mnistgen";

const ARTIFACTS = new URL("models/", document.baseURI);
const started = new Map();

/**
 * Names of the models, and what to call them.
 *
 * Those in float16 are not among them: below each picture is the program that draws it in Python, and the Python
 * package has only these.
 */
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
 * @param {(share: number | undefined) => void} onShare Takes the share that has been fetched: NaN if it is unknown, as
 *   while ONNX Runtime starts; undefined at the end.
 * @param {string} [folder] Folder below models/, for example "seed/".
 */
export function model(name, onShare, folder = "") {
  const key = folder + name;
  if (!started.has(key)) {
    const generator = open(name, onShare, folder);
    generator.catch(() => started.delete(key)); // so that another try is possible
    started.set(key, generator);
  }
  return started.get(key);
}

async function open(name, onShare, folder) {
  if (typeof WebAssembly !== "object") {
    const remedy = "Use a current browser, or allow WebAssembly in its settings";
    throw new DeviceError("This browser has no WebAssembly", { code: "runtime-missing", remedy });
  }
  let isOver = false;
  const onProgress = ({ loaded, total }) => isOver || onShare(loaded < total ? loaded / total : NaN);
  onShare(NaN);
  try {
    const [artifacts, url] = [new URL(folder, ARTIFACTS), new URL(wasm, document.baseURI)];
    return await load(name, { artifacts, wasm: url, onProgress });
  } catch (error) {
    throw forVisitors(error);
  } finally {
    isOver = true;
    onShare(undefined);
  }
}

/** The package tells developers how to install ONNX Runtime; visitors can only load the page again. */
function forVisitors(error) {
  if (!["runtime-missing", "runtime-damaged"].includes(error.code)) return error;
  const remedy = "Check the network and reload the page";
  return new DeviceError("ONNX Runtime could not be loaded", { code: error.code, remedy, cause: error });
}

/** Return the parsed JSON file at a path below models/, or undefined if there is none. */
export async function facts(path) {
  try {
    return await (await fetch(new URL(path, ARTIFACTS))).json();
  } catch {
    return undefined;
  }
}

/** Return the URLs of the page's models that a manifest lists. */
export function filesOf({ models, verifier }) {
  const listed = [...MODELS.map(([name]) => models[name]), verifier];
  return listed.filter(Boolean).map(({ file }) => new URL(file, ARTIFACTS).href);
}
