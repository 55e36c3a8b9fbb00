/** Facts about a model, from the manifest or from a module such as `mnistgen/models/cgan`. */

import { ArtifactError, InputError } from "./errors.js";
import { read } from "./read.js";
import { sha256 } from "./sha256.js";
import { shown, urlOf } from "./validation.js";

const SCHEMA = "1";

/**
 * @typedef {object} ModelFile A file and what it must contain.
 * @property {URL | string} url
 * @property {string} sha256
 * @property {number} bytes
 */
/**
 * @typedef {object} ModelFacts
 * @property {string} name
 * @property {number} latent_size
 * @property {number} classes 0 if the model is unconditional.
 * @property {number[]} [label_bias] Added to the first ten components of a latent; the largest sum names the digit.
 * @property {string[]} [label_map] Digits in the plane of latents: character j of string i is in cell (j, i).
 * @property {number} [label_temperature] Temperature of the softmax over these sums.
 * @property {ModelFile} [verifier]
 */
/** @typedef {ModelFile & ModelFacts} Model */
/** @typedef {"vae" | "gan" | "cgan" | "cgan-int8" | "vae-fp16" | "gan-fp16" | "cgan-fp16"} ModelName */
/**
 * @callback OnProgress
 * @param {{ loaded: number, total: number, file: string }} progress In bytes, of the uncompressed file.
 * @returns {void}
 */
/** @typedef {{ onProgress?: OnProgress, signal?: AbortSignal }} ReadOptions */

/**
 * Return the facts about the model `name` in the folder `artifacts`.
 *
 * @param {string} name
 * @param {URL | string | undefined} artifacts URL of the folder that contains manifest.json.
 * @param {ReadOptions} options
 * @returns {Promise<Model>}
 */
export async function findModel(name, artifacts, options) {
  const folder = folderUrl(artifacts);
  const url = new URL("manifest.json", folder);
  const manifest = parse(await read(url, { ...options, onProgress: undefined, missing: "manifest-missing" }), url);
  const { models, verifier } = manifest;
  if (!Object.hasOwn(models, name)) {
    const code = "unknown-model";
    throw new InputError(`model is ${shown(name)}; expected one of ${Object.keys(models).join(", ")}`, { code });
  }
  const file = (/** @type {any} */ entry) => ({ ...entry, url: new URL(entry.file, folder) });
  return { name, ...file(models[name]), verifier: verifier && file(verifier) };
}

/**
 * Return the bytes of a file after comparing their SHA-256.
 *
 * @param {ModelFile} file
 * @param {ReadOptions} options
 */
export async function readVerified(file, options) {
  const url = new URL(file.url, globalThis.location?.href);
  const bytes = await read(url, { ...options, total: file.bytes });
  if ((await sha256(bytes)) !== file.sha256) {
    throw new ArtifactError(`The model ${url} does not match its SHA-256`, {
      code: "model-hash-mismatch",
      remedy: "Download it again",
    });
  }
  return bytes;
}

/**
 * Return the facts of a model's module.
 *
 * @param {Model} model
 */
export function checkModel(model) {
  if (isFile(model, "url") && typeof model.name === "string" && isModel(model)) return model;
  const expected = 'expected a name, or the default export of a module such as "mnistgen/models/cgan"';
  throw new InputError(`model is ${shown(model)}; ${expected}`, { code: "unknown-model" });
}

/** @param {unknown} artifacts */
function folderUrl(artifacts) {
  const remedy = 'Or import a model, such as "mnistgen/models/cgan"';
  const url = urlOf("artifacts", artifacts, "the URL of the folder that contains manifest.json", remedy);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/**
 * @param {any} entry
 * @param {string} address Name of the field that says where the file is.
 */
function isFile(entry, address) {
  return Boolean(entry?.[address]) && typeof entry.sha256 === "string";
}

/** @param {any} entry */
function isModel({
  latent_size: size,
  classes,
  label_bias: bias = [],
  label_temperature: temperature = 0,
  label_map: map = [],
}) {
  const clusters = Array.isArray(bias) && (temperature === 0 || (bias.length > 0 && temperature > 0));
  return (
    Number.isInteger(size) && size > 0 && Number.isInteger(classes) && classes >= 0 && clusters && Array.isArray(map)
  );
}

/**
 * @param {Uint8Array} bytes
 * @param {URL} url
 */
function parse(bytes, url) {
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new ArtifactError(`${url} is not a manifest of mnistgen`, { code: "manifest-damaged", cause: error });
  }
  const schema = String(manifest?.schema);
  if (schema.split(".")[0] !== SCHEMA) {
    const remedy = "Use the version of mnistgen that wrote it";
    throw new ArtifactError(`The manifest's schema is ${schema}; expected ${SCHEMA}.x`, {
      code: "schema-unknown",
      remedy,
    });
  }
  const { models, verifier } = manifest;
  const listed = Object.values(models ?? {});
  const complete = listed.length && listed.every((entry) => isFile(entry, "file") && isModel(entry));
  if (!complete || (verifier && !isFile(verifier, "file"))) {
    throw new ArtifactError(`${url} lists no models, or incomplete ones`, { code: "manifest-damaged" });
  }
  return manifest;
}
