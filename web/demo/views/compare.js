/** Compare: the three models side by side on the same seeds, with the figures of their certificates. */

import { seedField } from "../controls.js";
import { drawInk, el, inkCanvas } from "../dom.js";
import { facts } from "../models.js";

export const title = "Compare";
export const lead =
  "The same seeds in each model. The seed recipe is the textbook's; the tuned recipe trains the same networks better.";
export const defaults = { seed: "7" };

const COUNT = 10;
const NAMES = [
  ["vae", "VAE"],
  ["gan", "GAN"],
  ["cgan", "Conditional GAN"],
];
/** Figures of a certificate: name, heading, and how to write it. */
const FIGURES = [
  ["legibility", "Legible", (value) => `${(100 * value).toFixed(1)} %`],
  ["frechet_distance", "Fréchet distance", (value) => value.toPrecision(3)],
  ["recall", "Recall", (value) => value.toFixed(2)],
  ["memorization_rate", "Memorized", (value) => `${(100 * value).toFixed(1)} %`],
];

export function mount(root, page) {
  const seed = seedField((value) => page.set({ seed: value }));
  const rows = el("div", { className: "rows" });
  root.append(el("div", { className: "controls" }, seed.label, seed.random), rows);
  const list = entries();
  return async (state, signal) => {
    seed.set(state.seed);
    page.showCalls({
      Python: `[mnistgen.load(name).draw(n=${COUNT}, seed=${state.seed}) for name in ("vae", "gan", "cgan")]`,
      Shell: `mnistgen-run --model gan --n ${COUNT} --seed ${state.seed}`,
      JavaScript: `await (await load(gan)).draw(undefined, { n: ${COUNT}, seed: ${state.seed} })`,
    });
    const entered = await list;
    if (!rows.children.length) rows.append(...entered.map((entry) => entry.row));
    for (const entry of entered) {
      page.say(`Loading the ${entry.title}…`);
      const generator = await page.model(entry.name, entry.folder);
      const picture = await generator.draw(undefined, { n: COUNT, seed: state.seed, signal });
      drawInk(entry.canvas, picture);
    }
    page.say(`${COUNT} digits of seed ${state.seed} from each model.`);
  };
}

/** Return the models to compare: those of the seed recipe only where the page was built with them. */
async function entries() {
  const [tuned, seed, references] = await Promise.all(
    ["manifest.json", "seed/manifest.json", "seed/references.json"].map(facts),
  );
  const quality = (name) => tuned?.models[name]?.quality?.metrics;
  return NAMES.flatMap(([name, title]) => [
    ...(seed?.models[name] ? [entry(name, `${title}, seed recipe`, references?.figures[name], "seed/")] : []),
    entry(name, `${title}, tuned recipe`, quality(name), ""),
  ]);
}

function entry(name, title, metrics, folder) {
  const canvas = inkCanvas(`${COUNT} digits of the ${title}`);
  const figures = FIGURES.filter(([metric]) => metrics?.[metric]).map(([metric, heading, format]) => {
    return el("div", {}, el("dt", {}, heading), el("dd", {}, format(metrics[metric].mean)));
  });
  const row = el("section", { className: "row" }, el("h3", {}, title), canvas, el("dl", {}, ...figures));
  return { name, title, folder, canvas, row };
}
