/** The cases that Python wrote to tests/parity/, answered in JavaScript: in Node.js, and by browsers that import this. */

/** Largest difference in gray levels, 1 by default; docs/contract.md gives the bound of int8, where rounding differs. */
export const MOST_LEVELS = { "cgan-int8": 10 };

/**
 * Return what the package draws for a case: a picture, and facts about it.
 *
 * @param {typeof import("../src/index.js")} library
 * @param {import("../src/index.js").Generator} generator
 * @param {Record<string, any>} example
 */
export async function answer({ grid }, generator, { call, n, text, side, ...options }) {
  for (const key of ["model", "picture", "expected", "error"]) delete options[key];
  if (call === "generate") return { picture: grid(await generator.generate(n, options)) };
  if (call === "verified") {
    const { images, digits, attempts } = await generator.generateVerified(n, options);
    return { picture: grid(images), digits, attempts };
  }
  if (call === "text") {
    const picture = await generator.text(text, options);
    return { picture, boxes: picture.boxes };
  }
  const images = call === "walk" ? (await generator.walk(options)).frames : await generator.manifold(side);
  return { picture: grid(images) };
}
