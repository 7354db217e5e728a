import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { GraphError, SamplesError, Stream, StreamError } from "../src/node.js";
import { difference, expected, graph, vectors } from "./graphs.js";

const MODEL = "cae-64";
const TOLERANCE = 2e-5;

/** @param {Stream} stream @param {ReturnType<typeof vectors>} given @param {(left: number) => number} length */
async function heard(stream, { samples, told }, length) {
  const { step } = stream.metadata;
  const frames = [];
  for (let at = 0; at < samples.length; ) {
    const gone = told.lost[Math.floor(at / step)];
    let end = at;
    while (end < samples.length && told.lost[Math.floor(end / step)] === gone) end = Math.min(samples.length, (Math.floor(end / step) + 1) * step);
    end = Math.min(end, at + length(end - at));
    frames.push(...(gone ? await stream.lost(end - at) : await stream.push(samples.subarray(at, end))));
    at = end;
  }
  return frames;
}

for (const model of [MODEL, "light-256", "light-64", "rae-64", "lamprou-64"]) {
  test(`the frames of ${model} are Python's`, async () => {
    const given = vectors(model);
    const stream = await Stream.load(graph(model));
    const frames = await heard(stream, given, (left) => left);
    assert.deepEqual(frames.map((frame) => frame.position), given.told.position);
    assert.deepEqual(frames.map((frame) => Number(frame.silent)), given.told.silent.map(Number));
    assert.deepEqual(frames.map((frame) => Number(frame.gap)), given.told.gap.map(Number));
    assert.ok(difference(frames, given.values) < TOLERANCE);
    assert.equal(frames[0].bottleneck.length + frames[0].error.length, stream.metadata.names.length);
    assert.equal(frames[0].end - frames[0].start, stream.metadata.window / stream.rate);
  });
}

test("chunks may have any length, and calls need not be awaited", async () => {
  const given = vectors(MODEL);
  const stream = await Stream.load(graph(MODEL));
  const whole = await heard(stream, given, (left) => left);
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const pieces = await heard(stream.another(), given, (left) => Math.ceil(random() * Math.min(left, 1500)));
  assert.deepEqual(pieces, whole);

  const eager = stream.another();
  const buffer = new Float32Array(1000);
  const promises = [];
  for (let at = 0; at + 1000 <= 40_000; at += 1000) {
    buffer.set(given.samples.subarray(at, at + 1000));
    promises.push(eager.push(buffer));
  }
  const patient = stream.another();
  const one = await patient.push(given.samples.subarray(0, 40_000));
  assert.deepEqual((await Promise.all(promises)).flat(), one);
});

test("lost samples that end within a step cost that step", async () => {
  const { samples } = vectors(MODEL);
  const stream = await Stream.load(graph(MODEL));
  const { step } = stream.metadata;
  const first = samples.slice(0, 20 * step);
  const second = samples.slice(30 * step, 60 * step);
  const exact = expected(MODEL, [{ lost: 0, samples: first }, { lost: 5 * step, samples: second }]);
  const frames = [...(await stream.push(first)), ...(await stream.lost(5 * step)), ...(await stream.push(second))];
  assert.ok(difference(frames, exact.values) < TOLERANCE);
  assert.deepEqual(frames.map((frame) => frame.index), exact.index);
  assert.deepEqual(frames.map((frame) => frame.gap), exact.gap);

  const other = stream.another();
  await other.push(first);
  const cut = [...(await other.lost(4 * step + 3)), ...(await other.push(second))];
  assert.ok(cut.some((frame) => frame.gap));
  assert.equal(other.position, first.length + 4 * step + 3 + second.length);
});

test("a window wholly lost is counted, and reset begins anew", async () => {
  const { samples } = vectors(MODEL);
  const stream = await Stream.load(graph(MODEL));
  const before = await stream.push(samples.subarray(0, 16_000));
  const { window, hop } = stream.metadata;
  await stream.lost(2 * window);
  assert.equal(stream.lostWindows, window / hop + 1);
  const [next] = await stream.push(samples.subarray(0, hop));
  assert.ok(next.gap);
  await stream.reset();
  assert.equal(stream.position, 0);
  assert.deepEqual(await stream.push(samples.subarray(0, 16_000)), before);
});

test("samples that are not finite are refused, and the stream goes on", async () => {
  const { samples } = vectors(MODEL);
  const [one, other] = [await Stream.load(graph(MODEL)), await Stream.load(readFileSync(graph(MODEL)))];
  const wrong = samples.slice(0, 100);
  for (const value of [NaN, Infinity, -Infinity]) {
    wrong[50] = value;
    await assert.rejects(one.push(wrong), (error) => error instanceof SamplesError && /sample 50 of 100/.test(error.message));
  }
  await assert.rejects(one.push(/** @type {any} */ ([0.1])), SamplesError);
  await assert.rejects(one.lost(-1), RangeError);
  await assert.rejects(one.lost(0.5), RangeError);
  await assert.rejects(one.lost(1e300), RangeError);
  assert.deepEqual(await one.push(samples.subarray(0, 16_000)), await other.push(samples.subarray(0, 16_000)));
});

test("a failure ends the stream until it is reset", async () => {
  const stream = await Stream.load(graph(MODEL));
  let broken = true;
  const engine = {
    run: async () => {
      if (broken) throw new Error("out of memory");
      return { ready: [1], silent: [0], gap: [0], state_out: [], descriptors: [] };
    },
    release: async () => {},
  };
  const fragile = new Stream(engine, stream.metadata);
  await assert.rejects(fragile.push(new Float32Array(16_000)), /out of memory/);
  await assert.rejects(fragile.push(new Float32Array(10)), (error) => error instanceof StreamError && /reset/.test(error.message));
  broken = false;
  await fragile.reset();
  for (const one of [stream, stream.another()]) await one.release(); // twice, in effect
  assert.deepEqual(await fragile.push(new Float32Array(10)), []);
});

test("what is no live graph is refused", async () => {
  const bytes = readFileSync(graph(MODEL));
  await assert.rejects(Stream.load(bytes.subarray(0, 1000)), GraphError);
  await assert.rejects(Stream.load(new TextEncoder().encode("<!doctype html>")), GraphError);
  await assert.rejects(Stream.load(new Uint8Array()), /no live graph/);
  await assert.rejects(Stream.load(/** @type {any} */ (undefined)), GraphError);
  await assert.rejects(Stream.load("nowhere.onnx"), (error) => error instanceof GraphError && /nowhere.onnx.*ENOENT/.test(error.message));
});

test("a graph comes from a path, a file: address, a URL or a server", async () => {
  const path = graph(MODEL);
  const server = createServer(({ url }, answer) => answer.writeHead(url === "/a" ? 200 : 404).end(readFileSync(path))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${/** @type {any} */ (server.address()).port}`;
  for (const source of [path, pathToFileURL(path), pathToFileURL(path).href, `${origin}/a`]) {
    assert.equal((await Stream.load(source)).metadata.name, MODEL);
  }
  await assert.rejects(Stream.load(`${origin}/b`), (error) => error instanceof GraphError && /404/.test(error.message));
  server.close();
});
