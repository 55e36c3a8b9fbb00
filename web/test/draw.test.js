/** The example for Node.js writes PNGs, and refuses what it cannot write. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { decode } from "fast-png";

const SCRIPT = fileURLToPath(new URL("../examples/draw.js", import.meta.url));

/** Run draw.js in a new folder. Returns the exit code, stdout, stderr and the folder. */
async function draw(context, ...options) {
  const folder = await mkdtemp(join(tmpdir(), "mnistgen-"));
  context.after(() => rm(folder, { recursive: true }));
  return drawIn(folder, ...options);
}

function drawIn(folder, ...options) {
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, ...options], { cwd: folder }, (error, out, err) => {
      resolve({ code: error?.code ?? 0, out, err, folder });
    });
  });
}

test("writes a five", async (context) => {
  const { code, out, err, folder } = await draw(context, "--digit", "5", "--seed", "7", "--n", "2", "--scale", "2");
  assert.deepEqual([code, out, err], [0, "cgan-digit5-seed7.png  seed 7  cgan\n", ""]);
  const { width, height } = decode(await readFile(join(folder, "cgan-digit5-seed7.png")));
  assert.deepEqual([width, height], [2 * 56, 56]);
});

test("does not overwrite a file", async (context) => {
  const { folder } = await draw(context, "--model", "vae", "--out", "mine.PNG");
  const before = await readFile(join(folder, "mine.PNG"));
  const { code, err } = await drawIn(folder, "--model", "vae", "--out", "mine.PNG", "--seed", "1");
  assert.deepEqual([code, err], [1, "draw.js: mine.PNG exists. Choose another file with --out.\n"]);
  assert.deepEqual(await readFile(join(folder, "mine.PNG")), before);
});

for (const [options, code, words] of [
  [["--model", "foo"], 2, '"foo"; expected one of vae, gan, cgan, cgan-int8'],
  [["--digit", "11"], 2, "digit is 11; expected an integer from 0 to 9"],
  [["--model", "vae", "--digit", "3"], 2, "The vae is unconditional"],
  [["--n", "0"], 2, "--n is 0; expected an integer from 1 to 1000"],
  [["--seed", "18446744073709551616"], 2, "seed is 18446744073709551616"],
  [["--out", "digits.gif"], 2, "--out is digits.gif"],
  [["--out", "nowhere/digits.png"], 1, "Cannot write nowhere/digits.png (ENOENT)"],
  [["--artifacts", "nowhere"], 1, "(ENOENT)"],
  [["--digits", "5"], 2, "--digits"],
]) {
  test(`refuses ${options.join(" ")}`, async (context) => {
    const { code: got, out, err, folder } = await draw(context, ...options);
    assert.deepEqual([got, out, await readdir(folder)], [code, "", []]);
    assert.ok(err.includes(words) && err.split("\n").length === 2, err);
  });
}
