import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { Frame, functionalNames, functionals, resample, Resampler, SamplesError, Stream } from "../src/node.js";
import { engineOf } from "../src/plain/engine.js";
import { difference, expected, graph, vectors } from "./graphs.js";

const MODEL = "cae-64";
const TOLERANCE = 2e-5;
const { samples } = vectors(MODEL);

test("frames are Python's, as numbers and as JSON", async () => {
  const stream = await Stream.load(graph(MODEL));
  const lost = 3 * stream.metadata.step + 7; // ends within a step
  const [first, second] = [samples.subarray(0, 20_013), samples.subarray(20_013, 50_000)];
  const exact = expected(MODEL, [{ lost: 0, samples: first }, { lost, samples: second }]);
  const frames = [...(await stream.push(first)), ...(await stream.lost(lost)), ...(await stream.push(second))];
  frames.forEach((frame, k) => assert.ok(Math.abs(frame.loudness - exact.loudness[k]) < 1e-9, `${frame.loudness}, ${exact.loudness[k]}`));
  const json = JSON.parse(JSON.stringify(frames.at(-1)));
  const told = exact.json;
  assert.deepEqual(Object.keys(json), Object.keys(told));
  for (const key of ["loudness", "bottleneck", "error"]) {
    const [own, other] = [json, told].map((found) => [found[key]].flat());
    assert.ok(own.length === other.length && own.every((/** @type {number} */ x, /** @type {number} */ k) => Math.abs(x - other[k]) < 1e-3));
    delete json[key];
    delete told[key];
  }
  assert.deepEqual(json, told);
});

test("digital silence is -200 dB, and stays so after a reset", async () => {
  const stream = await Stream.load(graph(MODEL));
  await stream.push(samples.subarray(0, 16_000));
  await stream.reset();
  assert.deepEqual((await stream.push(new Float32Array(12_000))).map((frame) => [frame.loudness, frame.silent]), [[-200, true], [-200, true]]);
});

test("functionals are Python's", () => {
  const exact = expected(MODEL, [{ lost: 0, samples }]);
  const wide = exact.values.length / exact.index.length;
  const units = exact.json.bottleneck.length;
  const rows = exact.index.map((/** @type {number} */ _, /** @type {number} */ k) => exact.values.subarray(k * wide, (k + 1) * wide));
  const frames = rows.map((/** @type {Float32Array} */ row) => ({ bottleneck: row.subarray(0, units), error: row.subarray(units) }));
  const found = functionals(frames);
  assert.equal(found.length, exact.functionals.length);
  found.forEach((value, k) => assert.ok(Math.abs(value - exact.functionals[k]) <= 1e-5 * Math.abs(exact.functionals[k]) + 1e-12, exact.names[k]));
  const names = frames.flatMap((/** @type {any} */ frame, /** @type {number} */ k) =>
    k ? [] : [...frame.bottleneck.keys()].map((n) => `bottleneck_${n}`).concat([...frame.error.keys()].map((n) => `error_${n}`)),
  );
  assert.deepEqual(functionalNames(names), exact.names);

  const once = functionals(frames.slice(0, 1));
  assert.deepEqual(once.subarray(0, units), Float64Array.from(frames[0].bottleneck));
  assert.ok(once.subarray(units, 4 * units).every((value) => value === 0));
  assert.throws(() => functionals([]), RangeError);
});

test("hours of lost samples cost a few runs, and count as Python counts them", async () => {
  const stream = await Stream.load(graph(MODEL));
  const engine = await engineOf(await import("onnxruntime-node"), readFileSync(graph(MODEL)));
  const { hop, window } = stream.metadata;
  for (const lost of [window, window + hop, window + 2 * hop + 1, 8 * 3600 * stream.rate + 1234]) {
    const blocks = [{ lost: 0, samples: samples.subarray(0, 21_234) }, { lost, samples: samples.subarray(21_234) }];
    const exact = expected(MODEL, blocks);
    let runs = 0;
    const counted = { ...engine, run: (/** @type {import("../src/platform.js").Feeds} */ feeds) => (runs++, engine.run(feeds)) };
    const other = new Stream(counted, stream.metadata);
    const frames = [...(await other.push(blocks[0].samples)), ...(await other.lost(lost)), ...(await other.push(blocks[1].samples))];
    assert.deepEqual(frames.map((frame) => frame.index), exact.index);
    assert.deepEqual(frames.map((frame) => frame.gap), exact.gap);
    assert.equal(other.lostWindows, exact.lost);
    assert.equal(other.position, samples.length + lost);
    assert.ok(runs < samples.length / hop + window / hop + 4, `${runs} runs`);
    if (lost % stream.metadata.step === 0) assert.ok(difference(frames, exact.values) < TOLERANCE);
  }
});

test("arrays of another realm are arrays, and whole numbers have their full scale", async () => {
  const foreign = vm.runInNewContext("({ Float32Array, Uint8Array, ArrayBuffer, Int16Array })");
  const bytes = readFileSync(graph(MODEL));
  const elsewhere = foreign.Uint8Array.from(bytes);
  const [stream, ...others] = await Promise.all([bytes, elsewhere, elsewhere.buffer].map((source) => Stream.load(source)));
  const part = samples.subarray(0, 16_000);
  const exact = await stream.push(part);
  assert.ok(exact[0] instanceof Frame);
  assert.deepEqual(await others[0].push(foreign.Float32Array.from(part)), exact);
  assert.deepEqual(await others[1].push(foreign.Int16Array.from(part, (/** @type {number} */ x) => x * 32768)), exact);
  await others[0].reset();
  assert.deepEqual(await others[0].push(Int32Array.from(part, (x) => x * 2 ** 31)), exact);
  for (const wrong of [[0.1], new Uint8Array(8), new ArrayBuffer(8), "ab", null]) {
    await assert.rejects(stream.push(/** @type {any} */ (wrong)), SamplesError);
    assert.throws(() => resample(/** @type {any} */ (wrong), 44_100, 16_000), TypeError);
  }
  for (const rate of [16_000, 44_100]) {
    const low = Array.from(resample(part, rate, 16_000));
    assert.deepEqual(Array.from(resample(Int16Array.from(part, (x) => x * 32768), rate, 16_000)), low);
    const resampler = new Resampler(rate, 16_000);
    for (const signal of [part, part, new Float32Array()]) {
      assert.deepEqual([...resampler.push(signal), ...resampler.finish()], signal.length ? low : [], "each finish() ends one");
    }
  }
});

test("a recording at another rate gives the frames of a good resampler", async () => {
  const python = `
import sys, numpy, edgevoice, soxr
speech = edgevoice.load("${MODEL}").extract
samples = numpy.frombuffer(sys.stdin.buffer.read(), numpy.float32)
high = soxr.resample(samples, 16000, 44100, quality="VHQ").astype(numpy.float32)
frames = speech((high, 44100))
spread = numpy.asarray(edgevoice.load("${MODEL}").typical.spread, numpy.float32)
sys.stdout.buffer.write(b"".join(x.tobytes() for x in (numpy.array([len(high), len(frames)], numpy.float32), high, frames.values, spread)))`;
  const wave = readFileSync(fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url)));
  const speech = Float32Array.from(new Int16Array(wave.buffer.slice(wave.byteOffset + 44)), (x) => x / 32768);
  const out = execFileSync(process.env.PYTHON ?? "python3", ["-c", python], { input: Buffer.from(speech.buffer), maxBuffer: 1 << 28 });
  const numbers = new Float32Array(out.buffer.slice(out.byteOffset, out.byteOffset + out.length));
  const [count, frames] = numbers;
  const stream = await Stream.load(graph(MODEL));
  const wide = stream.metadata.names.length;
  const low = resample(numbers.subarray(2, 2 + count), 44_100, stream.rate);
  assert.ok(Math.abs(low.length - speech.length) <= 1);
  const found = await stream.push(low);
  assert.equal(found.length, frames);
  const spread = numbers.subarray(-wide);
  const off = found.flatMap((frame, k) => Array.from(frame.values, (x, n) => Math.abs(x - numbers[2 + count + k * wide + n]) / spread[n]));
  off.sort((a, b) => a - b);
  assert.ok(off[off.length >> 1] < 0.01, `half of the numbers move by less than ${off[off.length >> 1]} of their spread`);
});
