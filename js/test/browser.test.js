import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, withPage } from "./browser.js";
import { difference, expected } from "./graphs.js";

const MODEL = process.env.EDGEVOICE_MODEL ?? "cae-256";
const SECONDS = Number(process.env.EDGEVOICE_SECONDS ?? 30);
const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));

test(`${SECONDS} s of a browser's microphone give the frames that Python makes of the samples that arrived`, { skip: missing }, async (context) => {
  await withPage(speech, [MODEL], async (page) => {
    const told = await page.evaluate(
      async ([model, seconds]) => {
        const name = "edgevoice";
        const { Stream, microphone } = await import(name);
        const stream = await Stream.load(`graphs/${model}.onnx`);
        await stream.another().push(new Float32Array(stream.metadata.window));
        /** @type {any[]} */ const blocks = [];
        /** @type {any[]} */ const frames = [];
        let slow = 0; // the longest time between two turns of the page
        let turn = performance.now();
        const timer = setInterval(() => {
          slow = Math.max(slow, performance.now() - turn);
          turn = performance.now();
        }, 5);
        const onblock = (/** @type {Float32Array} */ samples, /** @type {number} */ lost) =>
          blocks.push({ lost, samples: Array.from(samples) });
        for await (const frame of microphone(stream, { onblock })) {
          frames.push({ ...frame, values: Array.from(frame.values) });
          if (frame.end >= seconds) break;
        }
        clearInterval(timer);
        const running = (await navigator.mediaDevices.enumerateDevices()).length;
        return { blocks, frames, slow, running, position: stream.position };
      },
      /** @type {[string, number]} */ ([MODEL, SECONDS]),
    );
    const blocks = told.blocks.map(({ lost, samples }) => ({ lost, samples: Float32Array.from(samples) }));
    const exact = expected(MODEL, blocks);
    const count = told.frames.length;
    const off = difference(told.frames, exact.values.subarray(0, count * told.frames[0].values.length));
    const latencies = told.frames.map((frame) => frame.latency).sort((a, b) => a - b);
    const figures = {
      model: MODEL,
      seconds: SECONDS,
      frames: count,
      lost: blocks.reduce((sum, { lost }) => sum + lost, 0),
      difference: off,
      latency_ms: { p50: 1000 * latencies[Math.floor(count / 2)], max: 1000 * latencies[count - 1] },
      page_held_ms: told.slow,
    };
    context.diagnostic(JSON.stringify(figures));
    if (process.env.EDGEVOICE_FIGURES) writeFileSync(process.env.EDGEVOICE_FIGURES, JSON.stringify(figures, null, 1) + "\n");
    assert.ok(off < 2e-5, `frames differ by ${off}`);
    assert.deepEqual(told.frames.map((frame) => frame.position), exact.position.slice(0, count));
    assert.deepEqual(told.frames.map((frame) => frame.gap), exact.gap.slice(0, count));
    assert.ok(told.frames.some((frame) => !frame.silent), "only silence arrived");
    assert.ok(count >= Math.floor((SECONDS - 0.5) / 0.25), `${count} frames`);
  });
});
