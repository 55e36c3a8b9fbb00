/** ONNX Runtime: import it, open sessions, and queue their runs. */

import { ArtifactError, DeviceError, MissingPackageError } from "./errors.js";
import { urlOf } from "./validation.js";

/** @typedef {typeof import("onnxruntime-web")} Ort ONNX Runtime's module, or that of onnxruntime-node. */
/** @typedef {import("onnxruntime-web").InferenceSession} InferenceSession */

/**
 * Return ONNX Runtime: `ort`, or the plain WebAssembly build of onnxruntime-web with one thread.
 *
 * More threads need a cross-origin isolated page, and do not speed up a single digit.
 *
 * @param {Ort | undefined} ort
 * @param {URL | string | undefined} wasm URL of ort-wasm-simd-threaded.wasm.
 */
export async function runtime(ort, wasm) {
  if (!ort) {
    ort = /** @type {Ort} */ (await importRuntime());
    ort.env.wasm.numThreads = 1;
  }
  if (wasm !== undefined)
    ort.env.wasm.wasmPaths = { wasm: urlOf("wasm", wasm, "the URL of ort-wasm-simd-threaded.wasm").href };
  return ort;
}

async function importRuntime() {
  try {
    return await import("onnxruntime-web/wasm");
  } catch (error) {
    const remedy = "Run npm install onnxruntime-web";
    throw new MissingPackageError("ONNX Runtime cannot be imported", { code: "runtime-missing", remedy, cause: error });
  }
}

/** A model in memory. */
export class Session {
  #ort;
  #session;
  #shape;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {Ort} ort
   * @param {InferenceSession} session
   * @param {number[]} [shape] Shape of an input's row, if it is not flat.
   */
  constructor(ort, session, shape) {
    this.#ort = ort;
    this.#session = session;
    this.#shape = shape;
  }

  /**
   * Open a model.
   *
   * @param {Ort} ort
   * @param {Uint8Array} bytes
   * @param {number[]} [shape] Shape of an input's row, if it is not flat.
   */
  static async open(ort, bytes, shape) {
    const provider = /** @type {any} */ (ort.env.versions).node ? "cpu" : "wasm"; // in onnxruntime-node or -web
    try {
      return new Session(ort, await ort.InferenceSession.create(bytes, { executionProviders: [provider] }), shape);
    } catch (error) {
      throw openError(error);
    }
  }

  /**
   * Run the model. Runs are queued, since a session can run only once at a time.
   *
   * @param {number} n Rows of each input.
   * @param {Record<string, Float32Array>} inputs Each n × width.
   * @returns {Promise<Float32Array>} The output.
   */
  run(n, inputs) {
    const tensor = (/** @type {Float32Array} */ values) => {
      return new this.#ort.Tensor("float32", values, [n, ...(this.#shape ?? [values.length / n])]);
    };
    const feed = Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, tensor(values)]));
    const run = this.#last.then(() => this.#session.run(feed));
    this.#last = run.catch(() => {}); // only the caller of this run gets its error
    return run.then(output, runError);
  }

  /** Free the memory after pending runs have finished. */
  async close() {
    await this.#last;
    await this.#session.release();
  }
}

/** @param {import("onnxruntime-web").InferenceSession.OnnxValueMapType} outputs */
function output(outputs) {
  return /** @type {Float32Array} */ (Object.values(outputs)[0].data);
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function runError(error) {
  const message = error instanceof Error ? error.message : error;
  throw new DeviceError(`ONNX Runtime failed to run the model: ${message}`, { code: "run-failed", cause: error });
}

/** @param {unknown} error */
function openError(error) {
  const message = error instanceof Error ? error.message : String(error);
  if (!/backend|wasm/i.test(message)) {
    const remedy = "Use a newer ONNX Runtime, or another model";
    return new ArtifactError(`ONNX Runtime refuses the model: ${message}`, {
      code: "model-refused",
      remedy,
      cause: error,
    });
  }
  const html = /3c 21 64 6f|magic/i.test(message); // "<!do" where WebAssembly begins with "\0asm"
  const problem = html ? "The server sent a web page instead of WebAssembly" : `ONNX Runtime cannot start: ${message}`;
  const remedy = "Pass the URL of ort-wasm-simd-threaded.wasm as `wasm`";
  return new MissingPackageError(problem, { code: "runtime-damaged", remedy, cause: error });
}
