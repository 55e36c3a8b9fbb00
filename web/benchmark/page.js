/** Runs in the browser: measures both runtimes in turns. */

import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";

import { network } from "./networks.js";

const WASM = "/web/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm";
const MODELS = ["vae", "gan", "cgan", "cgan-int8"];
const BATCHES = [1, 16];

/** Return the milliseconds per digit of both runtimes for each model and batch. */
export async function run(rounds) {
  setWasmPaths("/web/benchmark/node_modules/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend("wasm");
  const { load } = await import("/web/bundle/mnistgen.js");
  const results = [];
  for (const name of MODELS) {
    const generator = await load(name, { artifacts: "/web/models/", wasm: WASM });
    const theirs = name.endsWith("int8")
      ? undefined
      : await network(tf, name, `/artifacts/weights/${name}.safetensors`);
    const apart = theirs && (await check(name, load));
    for (const batch of BATCHES) results.push({ ...(await compare(name, generator, theirs, batch, rounds)), apart });
    await generator.close();
  }
  return results;
}

/**
 * Return the largest difference in levels with the weights of the seed recipe. In those of the tuned recipe, the VAE
 * and the GAN have a part that only mnistgen runs: a map of the latents.
 */
async function check(name, load) {
  const generator = await load(name, { artifacts: "/web/seed-models/", wasm: WASM });
  const theirs = await network(tf, name, `/artifacts/weights/seed/${name}.safetensors`);
  const { z, label } = inputs(generator.model, 16);
  const apart = difference(await generator.decode(z, label), theirs(join(z, label, 16), 16));
  await generator.close();
  return apart;
}

function inputs({ latent_size: size, classes }, n) {
  const z = Float32Array.from({ length: n * size }, (_, i) => Math.sin(i + 1));
  if (!classes) return { z };
  const label = new Float32Array(n * classes);
  for (let i = 0; i < n; i++) label[i * classes + (i % classes)] = 1;
  return { z, label };
}

async function compare(name, generator, network, batch, rounds) {
  const { z, label } = inputs(generator.model, batch);
  const joined = join(z, label, batch);
  const ours = () => generator.decode(z, label);
  const theirs = network && (() => network(joined, batch));
  const times = [[], []];
  for (let round = 0; round < rounds + 3; round++) {
    for (const [i, draw] of [ours, theirs].entries()) if (draw) times[i].push(await time(draw));
  }
  const [mine, other] = times.map((list) => median(list.slice(3)) / batch);
  return { name, batch, ours: mine, theirs: theirs && other };
}

/** Put the latent and the label of each image into one row. */
function join(z, label = new Float32Array(), n = 1) {
  const [width, classes] = [z.length / n, label.length / n];
  return Float32Array.from({ length: z.length + label.length }, (_, i) => {
    const [row, column] = [Math.floor(i / (width + classes)), i % (width + classes)];
    return column < width ? z[row * width + column] : label[row * classes + column - width];
  });
}

/** Return the largest difference in levels; TensorFlow.js draws upside down. */
function difference(ours, theirs) {
  const pixels = 784;
  return Math.max(
    ...ours.map((ink, i) => {
      const flipped = Math.floor(i / pixels) * pixels + (pixels - 1 - (i % pixels));
      return Math.abs(Math.round(255 * ink) - Math.round(255 * theirs[flipped]));
    }),
  );
}

async function time(draw) {
  const repeats = 5;
  const started = performance.now();
  for (let i = 0; i < repeats; i++) await draw();
  return (performance.now() - started) / repeats;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
