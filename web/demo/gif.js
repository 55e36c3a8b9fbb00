/** Animations as GIF files. The encoder is fetched when one is saved. */

import { PIXELS, SIDE } from "mnistgen";

/**
 * Encode frames as an endless GIF, ink on white.
 *
 * @param {Uint8Array} frames n × 28 × 28, ink 255.
 * @param {number} delay Milliseconds of each frame.
 * @param {number} [scale] Side of a pixel.
 */
export async function gif(frames, delay, scale = 8) {
  const { GIFEncoder } = await import("gifenc");
  const encoder = GIFEncoder();
  const palette = Array.from({ length: 256 }, (_, level) => Array(3).fill(255 - level));
  for (let at = 0; at < frames.length; at += PIXELS) {
    const pixels = enlarge(frames.subarray(at, at + PIXELS), scale);
    encoder.writeFrame(pixels, SIDE * scale, SIDE * scale, { palette, delay });
  }
  encoder.finish();
  return new Blob([encoder.bytes()], { type: "image/gif" });
}

function enlarge(pixels, scale) {
  const side = SIDE * scale;
  const at = (i) => Math.floor(Math.floor(i / side) / scale) * SIDE + Math.floor((i % side) / scale);
  return Uint8Array.from({ length: side * side }, (_, i) => pixels[at(i)]);
}
