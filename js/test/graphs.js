// What the tests are about: graphs and vectors that Python writes, and Python itself to compare with.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const build = fileURLToPath(new URL("../build/", import.meta.url));
const python = process.env.PYTHON ?? "python3";

/**
 * The path of a model's live graph; its vectors are beside it.
 * @param {string} model
 */
export function graph(model) {
  const path = `${build}${model}.onnx`;
  if (!existsSync(path)) {
    mkdirSync(build, { recursive: true });
    const words = ["-m", "edgevoice_export.cli", "live", model, "-o", path, "--vectors", `${build}${model}`, "--force"];
    execFileSync(python, words, { stdio: ["ignore", "ignore", "inherit"] });
  }
  return path;
}

/**
 * The recording and the frames that Python wrote for a model.
 * @param {string} model
 */
export function vectors(model) {
  graph(model);
  const read = (/** @type {string} */ name) => readFileSync(`${build}${model}/${name}`);
  const wave = read("samples.wav");
  const samples = Float32Array.from(new Int16Array(wave.buffer, wave.byteOffset + 44, (wave.length - 44) / 2), (x) => x / 32768);
  const told = JSON.parse(read("vectors.json").toString());
  return { samples, told, values: floats(read("frames.f32")) };
}

/**
 * The frames that `edgevoice.Stream` makes of samples and losses.
 * @param {string} model
 * @param {{lost: number, samples: Float32Array}[]} blocks
 */
export function expected(model, blocks) {
  const program = fileURLToPath(new URL("./expected.py", import.meta.url));
  const losses = blocks.map(({ lost, samples }) => [lost, samples.length]);
  const input = Buffer.concat(blocks.map(({ samples }) => Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)));
  const out = execFileSync(python, [program, model, JSON.stringify(losses)], { input, maxBuffer: 1 << 28 });
  const head = out.indexOf(10);
  return { ...JSON.parse(out.subarray(0, head).toString()), values: floats(out.subarray(head + 1)) };
}

/**
 * Heads of random numbers, classes.onnx and number.onnx, and what they decide of some frames.
 * @param {import("../src/index.js").Metadata} metadata of the graph that gave them
 * @param {import("../src/index.js").Frame[]} frames
 * @param {number} count how many of them a head judges
 * @param {string} folder where they are written
 * @param {object} [others] in place of what fits the graph
 * @returns {{classes: (number[] | null)[], number: (number[] | null)[]}}
 */
export function headsOf({ name, digests, level, rate, window, hop, names }, frames, count, folder, others) {
  const recipe = { model: name, networks: { ...digests, "frontend.onnx": "sha256:1" }, level, descriptors: "all", ...others };
  const facts = { format: 1, seconds: 2, frames: count, descriptors: names.length, rate, window, hop, recipe, ...others };
  const program = fileURLToPath(new URL("./head.py", import.meta.url));
  const windows = frames.map(({ index, silent }) => [index, silent]);
  const words = [program, folder, JSON.stringify(windows), JSON.stringify(facts)];
  const input = Buffer.concat(frames.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)));
  const [classes, number] = JSON.parse(execFileSync(python, words, { input, encoding: "utf8" }));
  return { classes, number };
}

/** @param {Buffer} bytes */
function floats(bytes) {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/**
 * The largest difference of frames from the values expected.
 * @param {{values: ArrayLike<number>}[]} frames
 * @param {Float32Array} values
 */
export function difference(frames, values) {
  const found = frames.flatMap((frame) => Array.from(frame.values));
  if (found.length !== values.length) throw new Error(`${found.length} numbers, expected ${values.length}`);
  return found.reduce((most, value, place) => Math.max(most, Math.abs(value - values[place])), 0);
}
