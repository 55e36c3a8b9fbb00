/** Arrange digits and encode a PNG in Node.js, without dependencies. */

import { crc32, deflateSync } from "node:zlib";

const SIDE = 28;
const COLUMNS = 10;

/** Arrange `n` × 28 × 28 bytes in rows of ten digits; each pixel becomes `scale` × `scale`. */
export function grid(images, n, scale) {
  const columns = Math.min(n, COLUMNS);
  const [width, height] = [columns * SIDE * scale, Math.ceil(n / columns) * SIDE * scale];
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [row, column] = [Math.floor(y / scale), Math.floor(x / scale)];
      const image = Math.floor(row / SIDE) * columns + Math.floor(column / SIDE);
      if (image < n) pixels[y * width + x] = images[(image * SIDE + (row % SIDE)) * SIDE + (column % SIDE)];
    }
  }
  return { width, height, pixels };
}

/** Encode an 8-bit gray image as a PNG (https://www.w3.org/TR/png-3/). */
export function encodePng({ width, height, pixels }) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8; // bits per pixel; the zeros that follow mean gray, deflate, adaptive filters, not interlaced
  const lines = Buffer.alloc(height * (width + 1)); // each row starts with its filter type, 0 for none
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(lines)), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
