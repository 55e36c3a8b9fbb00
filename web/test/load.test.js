/** Models are fetched, checked and opened; hostile servers get one clear sentence. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";

import { ArtifactError, InputError, load } from "../src/index.js";
import vae from "../models/vae.js";
import { models, node, serve } from "./helpers.js";

test("loads a model by its module and by its name", async (context) => {
  const artifacts = await serve(context, models());
  const [one, other] = [await load(vae), await load("vae", { artifacts, ort: node })];
  assert.deepEqual(await one.generate(2, { seed: 1 }), await other.generate(2, { seed: 1 }));
  assert.equal(other.model.latent_size, 2);
  assert.equal(other.model.sha256, vae.sha256);
});

for (const name of ["vae", "gan", "cgan"]) {
  test(`draws the digits of ${name} from half the bytes`, async (context) => {
    const artifacts = await serve(context, models());
    const [one, other] = [await load(name, { artifacts }), await load(`${name}-fp16`, { artifacts })];
    assert.ok(other.model.bytes < 0.56 * one.model.bytes);
    const [expected, drawn] = [await one.generate(40, { seed: 3 }), await other.generate(40, { seed: 3 })];
    const differences = drawn.map((level, i) => Math.abs(level - expected[i]));
    assert.equal(Math.max(...differences), 1); // the weights differ, so a rounding does somewhere
    await Promise.all([one.close(), other.close()]);
  });
}

test("reports progress up to the size of the file", async (context) => {
  const seen = [];
  await load("vae", {
    artifacts: await serve(context, models()),
    ort: node,
    onProgress: (progress) => seen.push(progress),
  });
  assert.deepEqual(seen.at(-1), { loaded: vae.bytes, total: vae.bytes, file: "vae.onnx" });
  assert.ok(seen.every(({ loaded }, i) => !i || loaded > seen[i - 1].loaded));
});

test("stops fetching when aborted", async (context) => {
  const artifacts = await serve(context, models());
  await assert.rejects(load("vae", { artifacts, signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("accepts a folder without a final slash", async (context) => {
  const artifacts = await serve(context, async (path) => models()(path.replace("/folder", "")));
  await load("vae", { artifacts: `${artifacts}folder`, ort: node });
});

test("verifies without WebCrypto", async (context) => {
  const artifacts = await serve(context, models({ "gan.onnx": (body) => body.fill(1, 100, 101) }));
  const { crypto } = globalThis;
  Object.defineProperty(globalThis, "crypto", {
    value: { getRandomValues: crypto.getRandomValues.bind(crypto) },
    configurable: true,
  });
  context.after(() => Object.defineProperty(globalThis, "crypto", { value: crypto }));
  await load("vae", { artifacts, ort: node });
  await assert.rejects(load("gan", { artifacts, ort: node }), { code: "model-hash-mismatch" });
});

const HTML = "\n<!DOCTYPE html><title>My app</title>";
const FAULTS = {
  "a missing manifest": [
    { "manifest.json": () => ({ status: 404, body: "" }) },
    "manifest-missing",
    /manifest.json cannot be read \(HTTP 404\)/,
  ],
  "a page instead of the manifest": [
    { "manifest.json": () => HTML },
    "manifest-missing",
    /manifest.json is a web page/,
  ],
  "a damaged manifest": [{ "manifest.json": () => "{" }, "manifest-damaged", /not a manifest/],
  "an empty manifest": [{ "manifest.json": () => "null" }, "schema-unknown", /schema is undefined/],
  "a manifest without models": [
    { "manifest.json": () => '{"schema": "1.0", "models": null}' },
    "manifest-damaged",
    /lists no/,
  ],
  "a manifest with a model without file": [
    { "manifest.json": () => '{"schema": "1.0", "models": {"vae": {"latent_size": 2, "classes": 0}}}' },
    "manifest-damaged",
    /incomplete/,
  ],
  "a newer manifest": [{ "manifest.json": () => '{"schema": "2.0"}' }, "schema-unknown", /schema is 2.0; expected 1.x/],
  "a missing model": [
    { "vae.onnx": () => ({ status: 500, body: "" }) },
    "model-missing",
    /vae.onnx cannot be read \(HTTP 500\)/,
  ],
  "a page instead of a model": [{ "vae.onnx": () => HTML }, "model-missing", /vae.onnx is a web page.*Check the URL/],
  "a truncated model": [
    { "vae.onnx": (body) => body.subarray(0, 1000) },
    "model-hash-mismatch",
    /vae.onnx does not match/,
  ],
  "a model that is too long": [
    { "vae.onnx": (body) => Buffer.concat([body, Buffer.alloc(50_000_000)]) },
    "model-hash-mismatch",
    /vae.onnx does not match/,
  ],
  "a model that breaks off": [
    { "vae.onnx": (body) => ({ body: body.subarray(0, 1000), length: body.length }) },
    "model-missing",
    /cannot be read/,
  ],
};
for (const [fault, [changes, code, message]] of Object.entries(FAULTS)) {
  test(`refuses ${fault}`, async (context) => {
    const artifacts = await serve(context, models(changes));
    for (const onProgress of [undefined, () => {}]) {
      await assert.rejects(load("vae", { artifacts, ort: node, onProgress }), (error) => {
        assert.ok(error instanceof ArtifactError);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    }
  });
}

test("refuses a web page instead of WebAssembly", async () => {
  const page = `data:text/html,${encodeURIComponent("<!doctype html>")}`;
  const code = `import { load } from ${JSON.stringify(new URL("../src/index.js", import.meta.url))};
    import vae from ${JSON.stringify(new URL("../models/vae.js", import.meta.url))};
    await load(vae, { wasm: ${JSON.stringify(page)} }).catch(({ code, message }) => console.log(code, message));`;
  const { execFileSync } = await import("node:child_process"); // its own process: ONNX Runtime starts only once
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  assert.match(output, /^runtime-damaged .*Pass the URL of ort-wasm-simd-threaded.wasm as `wasm`\.\n$/);
});

test("explains what Vite 7 and older need", async (context) => {
  const url = new URL("node_modules/.vite/deps/vae.onnx", await serve(context, async () => ({ body: HTML })));
  await assert.rejects(load({ ...vae, url }, { ort: node }), /Add optimizeDeps: \{ exclude: \["mnistgen"\] \}/);
});

for (const [options, code] of [
  [{}, "invalid-path"],
  [{ artifacts: "nowhere" }, "invalid-path"],
  [{ artifacts: new URL("http://127.0.0.1:9/") }, "manifest-missing"],
]) {
  test(`refuses the folder ${options.artifacts}`, async () => {
    await assert.rejects(load("vae", options), { code });
  });
}

for (const name of ["five", "__proto__", "verifier"]) {
  test(`refuses the name ${name}`, async (context) => {
    const artifacts = await serve(context, models());
    await assert.rejects(
      load(name, { artifacts }),
      (error) => error instanceof InputError && error.code === "unknown-model",
    );
  });
}

for (const model of [undefined, null, 5, {}, { ...vae, url: undefined }, { ...vae, latent_size: "2" }]) {
  test(`refuses the model ${model && JSON.stringify(model)}`, async () => {
    await assert.rejects(load(model), { name: "InputError", code: "unknown-model" });
  });
}

for (const [options, code] of [
  [null, "option-conflict"],
  ["artifacts", "option-conflict"],
  [{ wasms: "x" }, "option-conflict"],
  [{ wasm: "no url" }, "invalid-path"],
]) {
  test(`refuses the options ${JSON.stringify(options)}`, async () => {
    await assert.rejects(load(vae, options), { name: "InputError", code });
  });
}

for (const [runtime, ort] of Object.entries({ "onnxruntime-web": undefined, "onnxruntime-node": node })) {
  test(`says that ${runtime} refuses a model`, async () => {
    const url = new URL("data:application/octet-stream,garbage");
    const sha256 = createHash("sha256").update("garbage").digest("hex");
    await assert.rejects(load({ ...vae, url, sha256 }, { ort }), { name: "ArtifactError", code: "model-refused" });
  });
}

test("a model without verifier generates, and does not verify", async () => {
  const generator = await load({ ...vae, verifier: undefined }, { ort: node });
  assert.equal((await generator.generate(1)).length, 784);
  await assert.rejects(generator.read(new Uint8Array(784)), { name: "ArtifactError", code: "verifier-missing" });
  await generator.close();
});

test("reads no file when aborted", async () => {
  await assert.rejects(load(vae, { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("opens the verifier again after a failure", async (context) => {
  let broken = true;
  const artifacts = await serve(context, async (path) => {
    return path === "/verifier.onnx" && broken ? { status: 503, body: "" } : models()(path);
  });
  const generator = await load("vae", { artifacts, ort: node });
  await assert.rejects(generator.generateVerified(1, { seed: 7 }), { code: "model-missing" });
  broken = false;
  assert.equal((await generator.generateVerified(1, { seed: 7 })).digits.length, 1);
});

test("stops reading a file that does not end", async (context) => {
  let sent = 0;
  const server = createServer((request, response) => {
    const send = () => {
      while (!response.destroyed && response.write(Buffer.alloc(100_000))) sent += 100_000;
    };
    response.on("drain", send).on("error", () => {});
    send();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  context.after(() => server.closeAllConnections() ?? server.close());
  const url = `http://127.0.0.1:${server.address().port}/vae.onnx`;
  await assert.rejects(load({ ...vae, url }, { ort: node }), { code: "model-hash-mismatch" });
  assert.ok(sent < 100 * vae.bytes);
});
