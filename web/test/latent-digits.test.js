import assert from "node:assert/strict";
import { test } from "node:test";
import { mayShow, tellsDigits } from "../src/latent-digits.js";

const empty = "-".repeat(128);
const map = [...Array(64).fill(empty), `${"-".repeat(100)}7${"-".repeat(27)}`, ...Array(63).fill(empty)];
const plane = { name: "plane", latent_size: 2, classes: 0, label_map: map };

/**
 * @param {[number, number]} cells
 * @param {number} digit
 */
function shows([x, y], digit) {
  return mayShow(plane, Float32Array.of(x / 16, y / 16), digit);
}

test("a map shows the digits of a cell and its neighbors", () => {
  for (const near of [
    [36.5, 0.5],
    [37.9, 1.9],
    [35.1, -0.9],
  ])
    assert.deepEqual([shows(near, 7), shows(near, 1)], [true, false]);
  for (const far of [
    [38.1, 0.5],
    [36.5, 2.1],
  ])
    assert.equal(shows(far, 7), false);
});

test("any digit may be outside the map", () => {
  for (const outside of [
    [-64.5, 0],
    [0, 99],
  ])
    assert.ok(shows(outside, 3));
});

test("only some models tell the digit", () => {
  assert.ok(tellsDigits(plane));
  assert.ok(!tellsDigits({ name: "cgan", latent_size: 128, classes: 10 }));
});
