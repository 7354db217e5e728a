// node test/bench.js [MODEL ...]: sizes, and milliseconds a window in Node and Chromium.
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Stream } from "../src/node.js";
import { withPage } from "./browser.js";
import { graph } from "./graphs.js";

const WINDOWS = 200;
const dist = new URL("../node_modules/onnxruntime-web/dist/", import.meta.url);
const size = (/** @type {string | URL} */ path) => statSync(path).size / 1e6;
const models = process.argv.length > 2 ? process.argv.slice(2) : ["cae-256", "cae-64", "light-256", "light-64"];
const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));

/**
 * Milliseconds that each of some windows takes, the smallest, the middle and the largest of them.
 * @param {Stream} stream
 * @param {number} windows
 */
async function milliseconds(stream, windows) {
  const hop = Float32Array.from({ length: stream.metadata.hop }, (_, n) => 0.1 * Math.sin(n * n));
  const taken = [];
  for (let k = 0; k < windows + 10; k++) {
    const begun = performance.now();
    await stream.push(hop);
    if (k >= 10) taken.push(performance.now() - begun);
  }
  taken.sort((a, b) => a - b);
  return { least: taken[0], median: taken[Math.floor(windows / 2)], most: taken[windows - 1] };
}

/** @type {Record<string, any>} */
const found = { wasm_mb: size(new URL("ort-wasm-simd-threaded.wasm", dist)), node: process.version };
for (const model of models) {
  found[model] = { graph_mb: size(graph(model)), node_ms: await milliseconds(await Stream.load(graph(model)), WINDOWS) };
}
await withPage(speech, models, async (page) => {
  found.chromium = await page.evaluate(() => navigator.userAgent);
  for (const model of models) {
    found[model].chromium_ms = await page.evaluate(
      async ([name, windows, source]) => {
        const library = "edgevoice";
        const { Stream } = await import(library);
        const measure = new Function(`return ${source}`)();
        return measure(await Stream.load(`/graphs/${name}.onnx`), windows);
      },
      /** @type {[string, number, string]} */ ([model, WINDOWS, milliseconds.toString()]),
    );
  }
});
console.log(JSON.stringify(found, (_, value) => (typeof value === "number" ? Number(value.toPrecision(4)) : value), 1));
