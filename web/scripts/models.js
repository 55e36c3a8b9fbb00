/**
 * Copy the models of the checkout into models/, with a module for each, and the license beside them.
 *
 * `import cgan from "mnistgen/models/cgan"` gives the facts of the manifest and the URL of the file. Bundlers recognize
 * `new URL(…, import.meta.url)` and copy the file beside the page's scripts.
 */

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";

const ARTIFACTS = new URL("../../artifacts/", import.meta.url);
const MODELS = new URL("../models/", import.meta.url);
const TYPES = `declare const model: import("../types/model.js").Model;\nexport default model;\n`;

await rm(MODELS, { recursive: true, force: true });
await mkdir(MODELS);
await copyFile(new URL("manifest.json", ARTIFACTS), new URL("manifest.json", MODELS));
await writeFile(new URL("model.d.ts", MODELS), TYPES);
for (const name of ["LICENSE", "NOTICE"])
  await copyFile(new URL(`../${name}`, ARTIFACTS), new URL(`../${name}`, MODELS));
const { models, verifier } = JSON.parse(await readFile(new URL("manifest.json", ARTIFACTS), "utf8"));
await writeModule("verifier", verifier, "");
for (const [name, entry] of Object.entries(models)) {
  const { latent_size, classes, label_bias = [], label_temperature = 0, label_map = [] } = entry;
  await writeModule(
    name,
    entry,
    `name: "${name}",\n  latent_size: ${latent_size},\n  classes: ${classes},\n  label_bias: ${JSON.stringify(label_bias)},\n  label_temperature: ${label_temperature},\n  label_map: ${JSON.stringify(label_map)},\n  verifier,`,
  );
}

async function writeModule(name, { file, sha256, bytes }, facts) {
  await copyFile(new URL(file, ARTIFACTS), new URL(file, MODELS));
  const source = `${facts && 'import verifier from "./verifier.js";\n\n'}export default {
  ${[facts, `url: new URL("./${file}", import.meta.url),`, `bytes: ${bytes},`, `sha256: "${sha256}",`].filter(Boolean).join("\n  ")}
};
`;
  await writeFile(new URL(`${name}.js`, MODELS), source);
}
