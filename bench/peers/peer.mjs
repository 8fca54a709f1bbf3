// Encodes with sharp's defaults: one JSON request a line in, one JSON answer a line out.
// {"pixels": file of RGB bytes, "width", "height", "format", "quality", "out": file} -> {"ms": CPU milliseconds}
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const sharp = createRequire(process.cwd() + "/")("sharp");
sharp.concurrency(1);
sharp.cache(false);

for await (const line of createInterface({ input: process.stdin })) {
  const { pixels, width, height, format, quality, out } = JSON.parse(line);
  const raw = readFileSync(pixels);
  const began = process.cpuUsage();
  const body = await sharp(raw, { raw: { width, height, channels: 3 } })[format]({ quality }).toBuffer();
  const used = process.cpuUsage(began);
  writeFileSync(out, body);
  console.log(JSON.stringify({ ms: (used.user + used.system) / 1000 }));
}
