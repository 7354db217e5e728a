import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { GraphError, Head, HeadError, Stream } from "../src/node.js";
import { graph, headsOf, vectors } from "./graphs.js";

const MODEL = "cae-64";
const COUNT = 7; // frames of two seconds
const stream = await Stream.load(graph(MODEL));
const { rate, window, hop } = stream.metadata;
const { samples } = vectors(MODEL);
const frames = [
  ...(await stream.push(samples)),
  ...(await stream.push(new Float32Array(2 * rate))),
  ...(await stream.push(samples)),
  ...(await stream.lost(window + 2 * hop)), // 3 windows, wholly
  ...(await stream.push(samples.subarray(0, 30_000))),
];

/** @param {import("node:test").TestContext} context @param {object} [others] in place of what fits */
function heads(context, others) {
  const folder = mkdtempSync(join(tmpdir(), "heads-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, ...headsOf(stream.metadata, frames, COUNT, folder, others) };
}

for (const descriptors of ["all", "bottleneck"]) {
  test(`a head of ${descriptors} decides as NumPy does: after enough windows, lost ones among them, and not of silence`, async (context) => {
    const { folder, classes, number } = heads(context, descriptors === "all" ? {} : { descriptors: frames[0].bottleneck.length, networks: {} });
    assert.equal(stream.lostWindows, 3);
    assert.ok(classes.slice(COUNT).includes(null) && classes.some(Boolean));
    for (const [file, exact] of /** @type {[string, typeof classes][]} */ ([["classes.onnx", classes], ["number.onnx", number]])) {
      const head = await Head.load(join(folder, file));
      head.metadata.recipe.descriptors = descriptors; // in the file it is a count, as that of the frames
      const judge = head.judge(stream);
      const found = await Promise.all(frames.map((frame) => judge.push(frame)));
      found.forEach((decision, k) => {
        assert.equal(decision === null, exact[k] === null, `frame ${k}`);
        if (!decision) return;
        const { start, end, index } = frames[k];
        assert.deepEqual([decision.start, decision.end], [start - ((COUNT - 1) * hop) / rate, end]);
        const heard = frames.filter((frame) => frame.index > index - COUNT && frame.index <= index);
        assert.equal(decision.gap, heard.length < COUNT || heard.some((frame) => frame.gap));
        const numbers = decision.value === null ? Object.values(decision.probabilities) : [decision.value];
        numbers.forEach((value, n) => assert.ok(Math.abs(value - (exact[k]?.[n] ?? NaN)) < 1e-5, `${value}, ${exact[k]?.[n]}`));
        if (decision.label === null) return;
        assert.deepEqual(Object.keys(decision.probabilities), head.metadata.labels);
        assert.equal(decision.probabilities[decision.label], Math.max(...numbers));
      });
      assert.ok(found.some((decision) => decision?.gap) && found.some((decision) => decision?.gap === false));
      assert.equal(await judge.push(frames[0]), null, "a new source begins");
      const other = Object.assign(JSON.parse(JSON.stringify(frames[0])), { bottleneck: [1] }); // of JSON, it has no values
      await assert.rejects(judge.push(other), HeadError);
    }
  });
}

test("a head that was fitted with something else says so", async (context) => {
  const wrong = { networks: { "encoder.onnx": "sha256:0" }, level: "window", hop: hop / 2, rate: 8000, format: 2 };
  for (const [key, value] of Object.entries(wrong)) {
    const fits = Head.load(join(heads(context, { [key]: value }).folder, "classes.onnx")).then((head) => head.judge(stream));
    await assert.rejects(fits, (error) => error instanceof HeadError && /fit|format/.test(error.message));
  }
  await assert.rejects(Head.load(graph(MODEL)), HeadError);
  await assert.rejects(Head.load("nowhere.onnx"), GraphError);
});
