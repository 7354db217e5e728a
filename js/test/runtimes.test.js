import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, withPage } from "./browser.js";
import { difference, expected, graph, vectors } from "./graphs.js";
import { ROOT } from "./package.js";

const MODEL = "cae-64";
const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));
const { samples } = vectors(MODEL);
const exact = expected(MODEL, [{ lost: 0, samples }]);

/** @param {string} path of a package.json */
const read = (path) => JSON.parse(readFileSync(`${ROOT}${path}/package.json`, "utf8"));

/** @param {number[][]} rows */
function check(rows) {
  const off = difference(rows.map((values) => ({ values })), exact.values);
  assert.ok(off < 2e-5, `frames differ by ${off}`);
}

for (const name of ["onnxruntime-node", "onnxruntime-web"]) {
  for (const which of [`${name}-lowest`, name]) {
    const { version } = read(`node_modules/${which}`);
    const skip = name.endsWith("web") && missing;
    test(`${name} ${version} runs the graph`, { skip }, async () => {
      if (which !== name) assert.equal(read("").peerDependencies[name], `>=${version.replace(/\.0$/, "")}`);
      const input = Array.from(samples);
      if (name.endsWith("web")) {
        await withPage(speech, [MODEL, "--runtime", `${ROOT}node_modules/${which}`], async (page) => {
          const rows = await page.evaluate(
            async ([model, heard]) => {
              const library = "edgevoice";
              const { Stream } = await import(library);
              const stream = await Stream.load(`graphs/${model}.onnx`);
              return (await stream.push(Float32Array.from(heard))).map((/** @type {any} */ frame) => Array.from(frame.values));
            },
            /** @type {[string, number[]]} */ ([MODEL, input]),
          );
          check(rows);
        });
      } else {
        // In a process of its own: two versions of a native library cannot be loaded together.
        const program = `
          import { readFileSync } from "node:fs";
          import * as ort from ${JSON.stringify(which)};
          import { Stream } from "./src/node.js";
          const heard = Float32Array.from(JSON.parse(readFileSync(0, "utf8")));
          const stream = await Stream.load(process.argv[1], { ort });
          const frames = await stream.push(heard);
          console.log(JSON.stringify(frames.map((frame) => Array.from(frame.values))));`;
        const words = ["--input-type=module", "--eval", program, graph(MODEL)];
        check(JSON.parse(execFileSync(process.execPath, words, { cwd: ROOT, input: JSON.stringify(input), encoding: "utf8", maxBuffer: 1 << 28 })));
      }
    });
  }
}
