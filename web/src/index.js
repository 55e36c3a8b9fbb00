/**
 * mnistgen for browsers and Node.js. A seed gives the same digits as in Python.
 *
 *     import { load } from "mnistgen";
 *     import cgan from "mnistgen/models/cgan";
 *
 *     const gen = await load(cgan);
 *     document.querySelector("img").src = (await gen.draw(5, { seed: 7 })).toDataURL();
 *
 * @module
 */

import { Generator } from "./generator.js";
import { checkModel, findModel, readVerified } from "./model.js";
import { runtime, Session } from "./runtime.js";
import { checkOptions } from "./validation.js";

export { PIXELS } from "./engine.js";
export {
  ArtifactError,
  DeviceError,
  IllegibleError,
  InputError,
  MissingPackageError,
  MnistgenError,
} from "./errors.js";
export { Generator } from "./generator.js";
export { normalQuantile } from "./interpolation.js";
export { INDEX_END, SEED_END } from "./latents.js";
export { grid, Picture } from "./picture.js";
export { SIDE } from "./text.js";
export { MOST_ATTEMPTS, THRESHOLD } from "./verify.js";

/**
 * @typedef {object} LoadOptions
 * @property {URL | string} [artifacts] URL of the folder that contains manifest.json, for a model given by its name.
 * @property {import("./runtime.js").Ort} [ort] onnxruntime-web or onnxruntime-node; onnxruntime-web/wasm by default.
 * @property {URL | string} [wasm] URL of ort-wasm-simd-threaded.wasm, if your bundler does not find it.
 * @property {import("./model.js").OnProgress} [onProgress] Called while the model is fetched.
 * @property {AbortSignal} [signal] Stops fetching.
 */

/**
 * Load a model. Its SHA-256 is checked before a session is created.
 *
 * @param {import("./model.js").ModelName | (string & {}) | import("./model.js").Model} model Its name, or the default
 *   export of a module such as "mnistgen/models/cgan".
 * @param {LoadOptions} [options]
 */
export async function load(model, options = {}) {
  checkOptions("load", options, ["artifacts", "ort", "wasm", "onProgress", "signal"]);
  const { artifacts, ort, wasm, onProgress, signal } = options;
  const facts = typeof model === "string" ? await findModel(model, artifacts, { signal }) : checkModel(model);
  const [bytes, engine] = await Promise.all([readVerified(facts, { onProgress, signal }), runtime(ort, wasm)]);
  return new Generator(engine, facts, await Session.open(engine, bytes));
}
