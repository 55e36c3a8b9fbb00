/** Pictures are arranged and encoded. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode } from "fast-png";

import { grid, PIXELS, SIDE } from "../src/index.js";

const images = Uint8Array.from({ length: 3 * PIXELS }, (_, i) => i % 251);
const picture = grid(images, { columns: 2 });

test("arranges images in rows", () => {
  assert.deepEqual([picture.width, picture.height], [2 * SIDE, 2 * SIDE]);
  assert.deepEqual(picture.pixels.slice(SIDE, 2 * SIDE), images.slice(PIXELS, PIXELS + SIDE));
  assert.deepEqual(
    picture.pixels.slice(SIDE * 2 * SIDE, SIDE * 2 * SIDE + SIDE),
    images.slice(2 * PIXELS, 2 * PIXELS + SIDE),
  );
  assert.ok(picture.pixels.slice(-SIDE).every((level) => level === 0));
});

test("encodes a gray PNG without loss", () => {
  const { width, height, channels, data } = decode(picture.toPng({ scale: 2 }));
  assert.deepEqual([width, height, channels], [4 * SIDE, 4 * SIDE, 1]);
  assert.deepEqual(
    data.filter((_, i) => i % 2 === 0 && Math.floor(i / width) % 2 === 0),
    picture.pixels,
  );
});

test("colors the ink and the paper", () => {
  const { data, channels } = decode(
    grid(Uint8Array.from({ length: PIXELS }, (_, i) => [0, 255][i] ?? 51)).toPng({
      scale: 1,
      color: "#ff8000",
      paper: "#ffffff",
    }),
  );
  assert.equal(channels, 4);
  assert.deepEqual([...data.slice(0, 12)], [255, 255, 255, 255, 255, 128, 0, 255, 255, 230, 204, 255]);
});

test("transparent paper keeps the ink's levels as opacity", () => {
  const { data } = decode(picture.toPng({ scale: 1, color: "#000000", paper: "none" }));
  assert.deepEqual([...data.slice(4, 8)], [0, 0, 0, picture.pixels[1]]);
});

test("a data URL holds the PNG", () => {
  const [head, body] = picture.toDataURL({ scale: 1 }).split(",");
  assert.equal(head, "data:image/png;base64");
  assert.deepEqual(new Uint8Array(Buffer.from(body, "base64")), picture.toPng({ scale: 1 }));
});

test("blobs have a media type", async () => {
  const [png, svg] = await Promise.all([picture.toBlob(), picture.toBlob("image/svg+xml")]);
  assert.deepEqual([png.type, svg.type], ["image/png", "image/svg+xml"]);
  assert.match(await svg.text(), /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="448"/);
});

test("refuses blobs of another type", async () => {
  await assert.rejects(picture.toBlob("image/jpeg"), { code: "unknown-format" });
});

test("an SVG covers each inked pixel once", () => {
  const rects = [...picture.toSvg().matchAll(/<rect x="\d+" y="\d+" width="(\d+)" height="1"/g)];
  const inked = picture.pixels.filter((level) => level > 0).length;
  assert.equal(
    rects.reduce((sum, [, width]) => sum + Number(width), 0),
    inked,
  );
});

for (const [style, code] of [
  [{ scale: 0 }, "invalid-layout"],
  [{ scale: 65 }, "invalid-layout"],
  [{ color: "red" }, "invalid-style"],
  [{ color: "" }, "invalid-style"],
  [{ color: ["#ffffff"] }, "invalid-style"],
  [{ colour: "#ffffff" }, "option-conflict"],
  [null, "option-conflict"],
  [{ paper: '"/><script>' }, "invalid-style"],
]) {
  test(`refuses ${JSON.stringify(style)}`, () => {
    assert.throws(() => picture.toPng(style), { code });
    assert.throws(() => picture.toSvg(style), { code });
  });
}

test("refuses a picture that is too large", () => {
  assert.throws(() => grid(new Uint8Array(PIXELS * 100), { columns: 100 }).toPng({ scale: 64 }), { code: "too-large" });
});
