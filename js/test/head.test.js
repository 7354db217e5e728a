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
const quiet = new Float32Array(32_000);
const { samples } = vectors(MODEL);
const frames = [...(await stream.push(samples)), ...(await stream.push(quiet)), ...(await stream.push(samples.subarray(0, 30_000)))];

/** @param {import("node:test").TestContext} context @param {object} [others] in place of what fits */
function heads(context, others) {
  const folder = mkdtempSync(join(tmpdir(), "heads-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, ...headsOf(stream.metadata, frames, COUNT, folder, others) };
}

test("a head decides once enough frames were heard, then with each, and of too much silence not at all", async (context) => {
  const { folder, classes, number } = heads(context);
  assert.ok(classes.includes(null) && !classes.every((/** @type {unknown} */ one) => one === null));
  for (const [file, exact] of [["classes.onnx", classes], ["number.onnx", number]]) {
    const head = await Head.load(join(folder, file));
    const judge = head.judge(stream);
    const promises = frames.map((frame) => judge.push(frame));
    const found = await Promise.all(promises);
    assert.ok(found.slice(0, COUNT - 1).every((decision) => decision === null));
    found.slice(COUNT - 1).forEach((decision, k) => {
      assert.equal(decision === null, exact[k] === null);
      if (!decision) return;
      assert.deepEqual([decision.start, decision.end], [frames[k].start, frames[k + COUNT - 1].end]);
      const numbers = decision.value === null ? Object.values(decision.probabilities) : [decision.value];
      numbers.forEach((value, n) => assert.ok(Math.abs(value - exact[k][n]) < 1e-5, `${value}, ${exact[k][n]}`));
      if (decision.label !== null) {
        assert.deepEqual(Object.keys(decision.probabilities), head.metadata.labels);
        assert.equal(decision.probabilities[decision.label], Math.max(...numbers));
      }
    });
    judge.reset();
    assert.equal(await judge.push(frames[0]), null);
  }
});

test("a head that was fitted with something else says so", async (context) => {
  const { digests, level, hop } = stream.metadata;
  const wrong = { digests: { ...digests, "encoder.onnx": "sha256:0" }, level: "window", hop: hop / 2 };
  for (const [key, value] of Object.entries(wrong)) {
    const head = await Head.load(join(heads(context, { [key]: value }).folder, "classes.onnx"));
    assert.throws(() => head.judge(stream), (error) => error instanceof HeadError && /fitted/.test(error.message));
  }
  assert.equal(typeof level, "string");
  await assert.rejects(Head.load(graph(MODEL)), HeadError);
  await assert.rejects(Head.load("nowhere.onnx"), GraphError);
});
