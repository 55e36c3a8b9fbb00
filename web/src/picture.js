/** Pictures: digits in rows, or a text, with the encoders that a page needs. */

import { encode } from "fast-png";

import { PIXELS } from "./engine.js";
import { InputError } from "./errors.js";
import { SIDE } from "./text.js";
import { checkOptions, MOST_IMAGES, shown, whole } from "./validation.js";

/** Side of an enlarged picture at most, in pixels; browsers cannot show larger ones. */
const LONGEST = 16384;

/**
 * @typedef {object} Style
 * @property {number} [scale] Side of a pixel, from 1 to 64; 8 by default for files, 1 for `toImageData`.
 * @property {string} [color] Color of the ink as "#rrggbb", white by default.
 * @property {string} [paper] Color of the background as "#rrggbb", black by default; "none" makes it transparent.
 */
/** @typedef {import("./text.js").Box} Box */

/** A picture of digits in levels of ink. */
export class Picture {
  /**
   * @param {{ pixels: Uint8Array, width: number, height: number, seed?: bigint, digits?: number[], attempts?: number[], boxes?: Box[] }} facts
   */
  constructor({ pixels, width, height, seed, digits, attempts, boxes }) {
    /** Levels of ink, height × width, row by row; ink 255. */
    this.pixels = pixels;
    this.width = width;
    this.height = height;
    /** Seed of the digits, also if it was random. */
    this.seed = seed;
    /** Digit of each image; undefined if the model is unconditional and none were requested. */
    this.digits = digits;
    /** Attempts at each digit, if verified. */
    this.attempts = attempts;
    /** Box of each digit of a text, in reading order. */
    this.boxes = boxes;
  }

  /**
   * Return an ImageData for a canvas. Only browsers have the class.
   *
   * @param {Style} [style]
   */
  toImageData(style) {
    const { data, width, height } = this.#rgba({ scale: 1, ...style });
    return new ImageData(data, width, height);
  }

  /**
   * Encode the picture as a PNG.
   *
   * @param {Style} [style]
   * @returns {Uint8Array<ArrayBuffer>}
   */
  toPng(style = {}) {
    const scale = scaleOf(style, this);
    const colored = style.color !== undefined || style.paper !== undefined;
    return file(encode(colored ? { ...this.#rgba(style), channels: 4 } : { ...enlarged(this, scale), channels: 1 }));
  }

  /**
   * Encode the picture as a Blob, like `HTMLCanvasElement.toBlob`.
   *
   * @param {"image/png" | "image/svg+xml"} [type]
   * @param {Style} [style]
   */
  async toBlob(type = "image/png", style) {
    if (type === "image/png") return new Blob([this.toPng(style)], { type });
    if (type === "image/svg+xml") return new Blob([this.toSvg(style)], { type });
    const problem = `type is ${shown(type)}; expected "image/png" or "image/svg+xml"`;
    throw new InputError(problem, { code: "unknown-format" });
  }

  /**
   * Return the picture as a data URL of a PNG, for the `src` of an <img>.
   *
   * @param {Style} [style]
   */
  toDataURL(style) {
    const png = Array.from(this.toPng(style), (byte) => String.fromCharCode(byte));
    return `data:image/png;base64,${btoa(png.join(""))}`;
  }

  /**
   * Encode the picture as an SVG: one rectangle for each run of equal pixels in a row.
   *
   * @param {Style} [style]
   */
  toSvg(style = {}) {
    const scale = scaleOf(style, this);
    const { color = "#ffffff", paper = "#000000" } = style;
    hex("color", color);
    const { width, height } = this;
    const size = `width="${width * scale}" height="${height * scale}" viewBox="0 0 ${width} ${height}"`;
    const ground = paper === "none" ? "" : `<rect width="${width}" height="${height}" fill="${hex("paper", paper)}"/>`;
    const rects = runs(this).map(({ x, y, length, level }) => {
      const opacity = level < 255 ? ` opacity="${(level / 255).toFixed(3)}"` : "";
      return `<rect x="${x}" y="${y}" width="${length}" height="1"${opacity}/>`;
    });
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size} shape-rendering="crispEdges">${ground}<g fill="${color}">${rects.join("")}</g></svg>\n`;
  }

  /** @param {Style} style */
  #rgba(style) {
    const { data: ink, width, height } = enlarged(this, scaleOf(style, this));
    const color = rgb("color", style.color ?? "#ffffff");
    const paper = style.paper === "none" ? undefined : rgb("paper", style.paper ?? "#000000");
    const data = new Uint8ClampedArray(4 * ink.length);
    ink.forEach((level, i) => {
      const mixed = paper ? color.map((value, c) => paper[c] + ((value - paper[c]) * level) / 255) : color;
      data.set([...mixed, paper ? 255 : level], 4 * i);
    });
    return { data, width, height };
  }
}

/**
 * Arrange the images of `generate` in rows.
 *
 * @param {Uint8Array} images n × 28 × 28, ink 255.
 * @param {{ columns?: number }} [options] Digits per row, 10 by default.
 */
export function grid(images, options = {}) {
  checkOptions("grid", options, ["columns"]);
  const n = checkImages(images);
  const across = Math.min(n, columnCount(options.columns));
  const [width, height] = [across * SIDE, Math.ceil(n / across) * SIDE];
  const pixels = new Uint8Array(width * height);
  for (let row = 0; row < n * SIDE; row++) {
    // rows of single images
    const [image, y] = [Math.floor(row / SIDE), row % SIDE];
    const at = (Math.floor(image / across) * SIDE + y) * width + (image % across) * SIDE;
    pixels.set(images.subarray(row * SIDE, (row + 1) * SIDE), at);
  }
  return new Picture({ pixels, width, height });
}

/**
 * Return the number of images in n × 28 × 28 levels.
 *
 * @param {Uint8Array} images
 */
export function checkImages(images) {
  const bytes = ArrayBuffer.isView(images) && images.BYTES_PER_ELEMENT === 1 ? images.length : 0;
  if (bytes && bytes % PIXELS === 0) return bytes / PIXELS;
  const problem = `images has ${bytes || "no"} bytes; expected a Uint8Array of n × ${PIXELS}`;
  throw new InputError(problem, { code: "invalid-image" });
}

/** @param {unknown} columns */
export function columnCount(columns = 10) {
  return Number(whole("columns", columns, BigInt(MOST_IMAGES) + 1n, { code: "invalid-layout", min: 1n }));
}

/**
 * @param {Style} style
 * @param {Picture} picture
 */
function scaleOf(style, { width, height }) {
  checkOptions("a style", style, ["scale", "color", "paper"]);
  const { scale = 8 } = style;
  const factor = Number(whole("scale", scale, 65n, { code: "invalid-layout", min: 1n }));
  if (factor * Math.max(width, height) > LONGEST) {
    const size = `${width * factor} × ${height * factor} pixels`;
    throw new InputError(`The picture has ${size}; expected at most ${LONGEST} per side`, {
      code: "too-large",
      remedy: "Use a smaller scale",
    });
  }
  return factor;
}

/**
 * Repeat each pixel `scale` times in both directions.
 *
 * @param {Picture} picture
 * @param {number} scale
 */
function enlarged({ pixels, width, height }, scale) {
  if (scale === 1) return { data: pixels, width, height };
  const line = width * scale;
  const data = new Uint8Array(line * height * scale);
  for (let y = 0; y < height * scale; y++) {
    if (y % scale) data.copyWithin(y * line, (y - 1) * line, y * line);
    else for (let x = 0; x < line; x++) data[y * line + x] = pixels[(y / scale) * width + Math.floor(x / scale)];
  }
  return { data, width: line, height: height * scale };
}

/** @param {Picture} picture */
function runs({ pixels, width, height }) {
  const found = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0, end = 0; x < width; x = end) {
      const level = pixels[y * width + x];
      for (end = x + 1; end < width && pixels[y * width + end] === level;) end++;
      if (level) found.push({ x, y, length: end - x, level });
    }
  }
  return found;
}

/**
 * @param {string} what
 * @param {string} color
 */
function rgb(what, color) {
  return [1, 3, 5].map((at) => Number.parseInt(hex(what, color).slice(at, at + 2), 16));
}

/**
 * @param {string} what
 * @param {string} color
 */
function hex(what, color) {
  if (typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color)) return color;
  throw new InputError(`${what} is ${shown(color)}; expected a color such as "#1e90ff"`, { code: "invalid-style" });
}

/** @param {Uint8Array} bytes A part of a larger buffer. */
function file(bytes) {
  return new Uint8Array(bytes);
}
