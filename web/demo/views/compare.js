/** Compare: the three models side by side on the same seeds, with the figures of their certificates. */

import { options } from "../calls.js";
import { seedField } from "../controls.js";
import { drawInk, el, inkCanvas } from "../dom.js";
import { EXPLANATION, figureList } from "../figures.js";
import { facts } from "../models.js";

export const title = "Compare";
export const lead =
  "The same seeds in each model. The seed recipe is the textbook's; the tuned recipe trains the same networks better.";
export const defaults = { seed: "7" };

const COUNT = 10;
const NAMES = [
  ["vae", "VAE", "A plane of two numbers. Smooth and small, but blurred."],
  ["gan", "GAN", "A generator and a discriminator compete. Sharp, but you cannot choose the digit."],
  ["cgan", "Conditional GAN", "A GAN that takes the digit as its input."],
];

export function mount(root, page) {
  const seed = seedField((value) => page.set({ seed: value }));
  const sections = el("div", { className: "sections" });
  root.append(el("div", { className: "controls" }, seed.label, seed.random), sections);
  const created = newSections(sections);
  return async (state, signal) => {
    seed.set(state.seed);
    let failure;
    for (const row of await created) {
      page.say(`Drawing with the ${row.title}…`);
      try {
        const generator = await page.model(row.name, row.folder);
        signal.throwIfAborted();
        drawInk(row.canvas, await generator.draw(undefined, { n: COUNT, seed: state.seed, signal }));
      } catch (error) {
        failure ??= error; // the other models can still be drawn
        signal.throwIfAborted();
      }
    }
    if (failure) throw failure;
    page.say(`${COUNT} digits of seed ${state.seed} from each model.`);
    page.showCalls(calls(state.seed));
  };
}

/** Add a section for each model, and return all rows. The seed recipe is there if the page was built with its models. */
async function newSections(root) {
  const [tuned, seed, references] = await Promise.all(
    ["manifest.json", "seed/manifest.json", "seed/references.json"].map(facts),
  );
  const all = NAMES.map(([name, title, text]) => {
    const rows = [newRow(name, title, "tuned", tuned?.models?.[name]?.quality?.metrics, "")];
    const metrics = references?.figures?.[name] ?? seed?.models?.[name]?.quality?.metrics;
    if (seed?.models?.[name]) rows.unshift(newRow(name, title, "seed", metrics, "seed/"));
    const elements = rows.map((row) => row.element);
    root.append(el("section", {}, el("h3", {}, title), el("p", { className: "lead" }, text), ...elements));
    return rows;
  });
  root.append(baseline(tuned?.models?.cgan?.quality?.metrics));
  return all.flat();
}

function newRow(name, title, recipe, metrics, folder) {
  const canvas = inkCanvas(`${COUNT} digits of the ${title}, ${recipe} recipe`, 28 * COUNT, 28);
  const heading = el("h4", {}, `${recipe === "seed" ? "Seed" : "Tuned"} recipe`);
  const element = el("div", { className: "row" }, heading, canvas, figureList(metrics));
  element.dataset.model = folder + name;
  return { name, folder, title: `${title}, ${recipe} recipe`, canvas, element };
}

/** Create the figures of real digits, and an explanation of all figures. */
function baseline(metrics) {
  const real = figureList(metrics, "real_data_baseline");
  const row = el(
    "div",
    { className: "row" },
    el("h4", {}, "MNIST"),
    el("p", {}, "Real digits, measured in the same way."),
    real,
  );
  return el("section", {}, el("h3", {}, "Real digits"), row, el("p", { className: "lead" }, EXPLANATION));
}

function calls(seed) {
  const number = BigInt(seed);
  const names = NAMES.map(([name]) => name);
  return {
    Python: `import mnistgen\n\nfor model in ${JSON.stringify(names).replaceAll(",", ", ")}:\n    mnistgen.load(model).draw(n=${COUNT}, seed=${number})`,
    Shell: names.map((name) => `mnistgen-run --model ${name} --n ${COUNT} --seed ${number}`).join("\n"),
    JavaScript: `import { load } from "mnistgen";
${names.map((name) => `import ${name} from "mnistgen/models/${name}";`).join("\n")}

for (const model of [${names.join(", ")}]) {
  const gen = await load(model);
  await gen.draw(undefined, ${options({ n: COUNT, seed })});
}`,
  };
}
