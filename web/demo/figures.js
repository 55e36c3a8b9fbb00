/** Figures of the certificates that the page shows. */

import { el } from "./dom.js";

/** Name in the manifest, heading, explanation, and how to write it. */
const FIGURES = [
  ["legibility", "Legible", percent],
  ["frechet_distance", "Fréchet distance", (value) => value.toPrecision(3)],
  ["recall", "Recall", (value) => value.toFixed(2)],
  ["coverage", "Coverage", (value) => value.toFixed(2)],
  ["memorization_rate", "Memorized", percent],
];

/** What the headings mean. */
export const EXPLANATION =
  "Legible: the share of images that a classifier reads with at least 90 % confidence. Fréchet distance: how far the " +
  "images are from real ones; 0 is best. Recall and coverage: how much of the variety of real digits the model " +
  "reaches; 1 is best. Memorized: the share that lies closer to a training image than 99 % of the test images do; 1 % " +
  "is usual for new digits.";

/**
 * Create a list of figures.
 *
 * @param {Record<string, { mean: number, real_data_baseline?: number }> | undefined} metrics
 * @param {"mean" | "real_data_baseline"} [which]
 */
export function figureList(metrics, which = "mean") {
  const shown = FIGURES.filter(([name]) => metrics?.[name]?.[which] !== undefined);
  return el(
    "dl",
    {},
    ...shown.map(([name, heading, format]) =>
      el("div", {}, el("dt", {}, heading), el("dd", {}, format(metrics[name][which]))),
    ),
  );
}

function percent(value) {
  return `${(100 * value).toFixed(1)} %`;
}
