/** Numbers and dates as one picture: handwritten digits, with plain strokes for the characters between them. */

import { InputError } from "./errors.js";
import { shown } from "./validation.js";

/** Side of a digit in pixels. */
export const SIDE = 28;
const DIGITS = "0123456789";
/** Pixels from one digit to the next: their margins overlap, their ink hardly ever. */
const ADVANCE = 22;
/** Level from which a pixel counts as ink; fainter ones are the soft edge of a stroke. */
const INK = 64;
/** Radius of the pen for strokes, in pixels: about as thick as the digits' strokes. */
const RADIUS = 1.3;
const MOST_CHARACTERS = 1000;

/**
 * Width of each character, and its strokes from (x, y) to (x, y), in pixels; a stroke of length 0 is a dot.
 *
 * @type {Record<string, [number, number[][]]>}
 */
const STROKES = {
  " ": [12, []],
  ".": [9, [[4, 22, 4, 22]]],
  ",": [9, [[4.5, 22, 3, 25]]],
  ":": [
    9,
    [
      [4, 11, 4, 11],
      [4, 21, 4, 21],
    ],
  ],
  "-": [16, [[4, 14.5, 11, 14.5]]],
  "+": [
    18,
    [
      [3.5, 14.5, 13.5, 14.5],
      [8.5, 9.5, 8.5, 19.5],
    ],
  ],
  "/": [18, [[3.5, 26, 13.5, 2.5]]],
};

/** @typedef {{ digit: number, x: number, y: number, width: number, height: number }} Box Box of a digit's ink in pixels. */

/**
 * Return `text`, or a number as text; check that it holds a digit, and only characters that can be drawn.
 *
 * @param {unknown} text
 */
export function checkText(text) {
  const written = typeof text === "bigint" || Number.isSafeInteger(text) ? String(text) : text;
  const drawable = typeof written === "string" && /[0-9]/.test(written) && /^[0-9 .,:\-+/]*$/.test(written);
  if (!drawable || written.length > MOST_CHARACTERS) {
    const expected = `at least one digit, and only digits, spaces and - . : / , +, at most ${MOST_CHARACTERS}`;
    throw new InputError(`text is ${shown(text)}; expected ${expected}`, { code: "invalid-text" });
  }
  return written;
}

/**
 * Return the digits in a valid `text`.
 *
 * @param {string} text
 */
export function digitsOf(text) {
  return [...text].filter((character) => DIGITS.includes(character)).map(Number);
}

/**
 * Arrange images of digits in one row, with strokes for the other characters.
 *
 * @param {string} text A valid text.
 * @param {Uint8Array} images One image per digit of `text`: n × 28 × 28, ink 255.
 * @returns {{ pixels: Uint8Array, width: number, height: number, boxes: Box[] }} The picture (28 × width), ink 255, and
 *   the box of each digit, in reading order.
 */
export function layOut(text, images) {
  const width = [...text].reduce((sum, character) => sum + advance(character), SIDE - ADVANCE);
  const pixels = new Uint8Array(SIDE * width);
  const boxes = [];
  let x = 0;
  for (const character of text) {
    if (DIGITS.includes(character)) {
      const image = images.subarray(boxes.length * SIDE * SIDE, (boxes.length + 1) * SIDE * SIDE);
      boxes.push(boxOf(image, Number(character), x));
      paste(pixels, width, image, SIDE, x);
    } else {
      paste(pixels, width, draw(character), STROKES[character][0], x + (SIDE - ADVANCE) / 2);
    }
    x += advance(character);
  }
  return { pixels, width, height: SIDE, boxes };
}

/** @param {string} character */
function advance(character) {
  return DIGITS.includes(character) ? ADVANCE : STROKES[character][0];
}

/**
 * Add an image (28 × columns) at column `left`; where both have ink, the darker one counts.
 *
 * @param {Uint8Array} pixels
 * @param {number} width
 * @param {Uint8Array} image
 * @param {number} columns
 * @param {number} left
 */
function paste(pixels, width, image, columns, left) {
  image.forEach((level, i) => {
    const at = Math.floor(i / columns) * width + left + (i % columns);
    pixels[at] = Math.max(pixels[at], level);
  });
}

/**
 * Return the box of the ink of an image at column `left`; the whole cell if there is none.
 *
 * @param {Uint8Array} image
 * @param {number} digit
 * @param {number} left
 * @returns {Box}
 */
function boxOf(image, digit, left) {
  const inked = [...image.keys()].filter((i) => image[i] >= INK);
  if (!inked.length) return { digit, x: left, y: 0, width: SIDE, height: SIDE };
  const [columns, rows] = [inked.map((i) => i % SIDE), inked.map((i) => Math.floor(i / SIDE))];
  const [x, y] = [Math.min(...columns), Math.min(...rows)];
  return { digit, x: left + x, y, width: Math.max(...columns) - x + 1, height: Math.max(...rows) - y + 1 };
}

/**
 * Draw the strokes of a character (28 × width); a pixel's level is the share that the pen covers.
 *
 * @param {string} character
 */
function draw(character) {
  const [width, strokes] = STROKES[character];
  const pixels = new Uint8ClampedArray(SIDE * width); // rounds on assignment, half to even
  for (const i of pixels.keys()) {
    const cover = strokes.map((stroke) => RADIUS + 0.5 - distance(stroke, i % width, Math.floor(i / width)));
    pixels[i] = 255 * Math.min(Math.max(...cover, 0), 1);
  }
  return new Uint8Array(pixels.buffer);
}

/**
 * Return the distance of the pixel (x, y) from a stroke.
 *
 * @param {number[]} stroke
 * @param {number} x
 * @param {number} y
 */
function distance([x0, y0, x1, y1], x, y) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const along = Math.min(Math.max(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1), 0), 1);
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}
