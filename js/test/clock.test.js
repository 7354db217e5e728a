import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../src/microphone.js";
import { Resampler } from "../src/worklet.js";

const RATE = 16_000;
const BLOCK = 800;

/** @param {(block: number) => number} delay milliseconds that a block comes late @param {number} count */
function losses(delay, count) {
  const clock = new Clock(RATE);
  return Array.from({ length: count }, (_, block) => clock.place(BLOCK, ((block + 1) * 1000 * BLOCK) / RATE + delay(block)));
}

test("blocks that come late and catch up lose nothing", () => {
  assert.ok(losses((block) => 40 * Math.abs(Math.sin(block)), 400).every((lost) => lost === 0));
  assert.ok(losses((block) => (block >= 100 && block < 115 ? 600 : 0), 400).every((lost) => lost === 0));
});

test("a pause of the audio is lost once, and whole", () => {
  const found = losses((block) => (block < 100 ? 0 : 3000) + 10 * (block % 3), 400);
  assert.equal(found.filter(Boolean).length, 1);
  assert.ok(Math.abs(found.reduce((a, b) => a + b) - 3 * RATE) < 0.02 * RATE);
});

test("a device whose clock drifts loses nothing", () => {
  assert.ok(losses((block) => block * 0.004, 72_000).every((lost) => lost === 0)); // 80 ppm for an hour
});

for (const from of [48_000, 44_100, 22_050, 8_000]) {
  test(`a tone keeps its place, size and phase from ${from} Hz`, () => {
    const hertz = 1000;
    const input = Float32Array.from({ length: from }, (_, n) => Math.sin((2 * Math.PI * hertz * n) / from));
    const whole = new Resampler(from, RATE).push(input);
    const pieces = new Resampler(from, RATE);
    const joined = [];
    for (let first = 0; first < input.length; first += 128) joined.push(...pieces.push(input.subarray(first, first + 128)));
    assert.deepEqual(Float32Array.from(joined), whole);
    assert.ok(Math.abs(whole.length - RATE) < 200);
    for (let n = 500; n < whole.length - 500; n++) {
      assert.ok(Math.abs(whole[n] - Math.sin((2 * Math.PI * hertz * n) / RATE)) < 0.01, `sample ${n}`);
    }
  });
}

test("what is above half the new rate is gone", () => {
  const input = Float32Array.from({ length: 48_000 }, (_, n) => Math.sin((2 * Math.PI * 9500 * n) / 48_000));
  const out = new Resampler(48_000, RATE).push(input).slice(500, 15_000);
  assert.ok(Math.max(...out) < 0.01);
});
