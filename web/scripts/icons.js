/** Draw the icons of the demo page: a five of the conditional GAN. Run it again after a change of the model. */

import { writeFile } from "node:fs/promises";

import { encode } from "fast-png";
import { load } from "mnistgen";

const PUBLIC = new URL("../demo/public/", import.meta.url);
const [INK, PAPER] = [0x1b, 0xfa]; // levels of gray
const SEED = 7;

const gen = await load("cgan", { artifacts: new URL("../models/", import.meta.url) });
const digit = await gen.draw(5, { seed: SEED });
await gen.close();
for (const side of [192, 512]) {
  const [scale, margin] = [Math.floor(side / digit.width), Math.floor((side % digit.width) / 2)];
  const data = Uint8Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [i % side, Math.floor(i / side)].map((at) => Math.floor((at - margin) / scale));
    const level = x >= 0 && y >= 0 && x < digit.width && y < digit.height ? digit.pixels[y * digit.width + x] : 0;
    return Math.round(PAPER + ((INK - PAPER) * level) / 255);
  });
  await writeFile(new URL(`icon-${side}.png`, PUBLIC), encode({ width: side, height: side, data, channels: 1 }));
}
await writeFile(new URL("icon.svg", PUBLIC), digit.toSvg({ scale: 1, color: "#1b1b1f", paper: "#faf8f3" }));
