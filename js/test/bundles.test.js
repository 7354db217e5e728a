import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import * as vite from "vite";
import webpack from "webpack";
import { missing, withBrowser, withFolder } from "./browser.js";
import { difference, expected, graph } from "./graphs.js";
import { installed, ROOT, shown } from "./package.js";

const MODEL = "cae-64";
const speech = fileURLToPath(new URL("../../tests/data/speech.wav", import.meta.url));

// A page whose own thread refuses to compute.
const HEAD =
  `<!doctype html><link rel="icon" href="data:,"><script>for (const verb of ["compile", "instantiate", "instantiateStreaming"])
  delete WebAssembly[verb];</script>`;
const MAIN = `
import { microphone, Stream } from "edgevoice";
globalThis.listen = async (options, places) => {
  const stream = await Stream.load("/${MODEL}.onnx", options);
  const [blocks, frames] = [[], []];
  const onblock = (samples, lost) => blocks.push({ lost, samples: Array.from(samples) });
  for await (const frame of microphone(stream, { onblock, ...places })) {
    if (frames.push({ ...frame, values: Array.from(frame.values), json: JSON.stringify(frame) }) === 6) break;
  }
  await stream.release();
  return { blocks, frames, refused: await stream.another().push(new Float32Array(16000)).catch(String) };
};
`;

/** @param {import("node:test").TestContext} context @param {string} script the tag of the page's program */
function project(context, script) {
  const folder = installed(context);
  mkdirSync(join(folder, "dist"));
  writeFileSync(join(folder, "main.js"), MAIN);
  writeFileSync(join(folder, "index.html"), `${HEAD}${script}`);
  return folder;
}

/**
 * Whether a page gives Python's frames.
 * @param {import("playwright-core").Page} page @param {object} [options] @param {object} [places]
 */
async function check(page, options = {}, places = {}) {
  await page.waitForFunction("globalThis.listen");
  const told = await page.evaluate(([one, other]) => /** @type {any} */ (globalThis).listen(one, other), [options, places]);
  const blocks = told.blocks.map((/** @type {any} */ { lost, samples }) => ({ lost, samples: Float32Array.from(samples) }));
  const exact = expected(MODEL, blocks);
  const { length } = told.frames[0].values;
  const off = difference(told.frames, exact.values.subarray(0, told.frames.length * length));
  assert.ok(off < 2e-5, `frames differ by ${off}`);
  told.frames.forEach((/** @type {any} */ frame, /** @type {number} */ k) => {
    assert.ok(Math.abs(frame.loudness - exact.loudness[k]) < 1e-9);
    const { time, latency, ...json } = JSON.parse(frame.json);
    assert.ok(Math.abs(time - Date.now() / 1000) < 60 && latency >= 0 && latency < 30, `time ${time}, latency ${latency}`);
    assert.equal(json.bottleneck.length + json.error.length, length);
  });
  assert.match(String(told.refused), /StreamError.*released/);
  assert.equal(page.workers().length, 1);
}

/** @param {string} folder of a page @param {object} [options] @param {object} [places] */
async function checkFolder(folder, options, places) {
  cpSync(graph(MODEL), join(folder, `${MODEL}.onnx`));
  if (!existsSync(join(folder, "index.html"))) cpSync(join(folder, "..", "index.html"), join(folder, "index.html"));
  await withFolder(speech, folder, (page) => check(page, options, places));
}

/** The copy that the README shows. @param {string} folder */
function copy(folder) {
  const [command, ...others] = shown("sh", /^cp /m);
  assert.deepEqual(others, []);
  execFileSync("sh", ["-ec", command], { cwd: folder });
}

const MODULE = '<script type="module" src="./main.js"></script>';
const CLASSIC = '<script defer src="./main.js"></script>';

test("Vite", { skip: missing }, async (context) => {
  const folder = project(context, MODULE);
  await vite.build({ root: folder, logLevel: "warn" });
  await checkFolder(join(folder, "dist"));
});

test("Vite's server for development", { skip: missing }, async (context) => {
  const folder = project(context, MODULE);
  mkdirSync(join(folder, "public"));
  cpSync(graph(MODEL), join(folder, "public", `${MODEL}.onnx`));
  const server = await vite.createServer({ root: folder, logLevel: "warn", server: { port: 0, host: "127.0.0.1" } });
  try {
    await server.listen();
    await withBrowser(speech, server.resolvedUrls?.local[0] ?? "", check);
  } finally {
    await server.close();
  }
});

/** @param {import("webpack").Configuration} configuration */
async function pack(configuration) {
  const compiler = webpack({ mode: "production", performance: false, ...configuration });
  const stats = await new Promise((resolve, reject) => compiler.run((error, done) => (error ? reject(error) : resolve(done))));
  assert.deepEqual([...stats.compilation.errors, ...stats.compilation.warnings].map(String), []);
}

test("webpack", { skip: missing }, async (context) => {
  const folder = project(context, CLASSIC);
  await pack({ context: folder, entry: "./main.js", output: { path: join(folder, "dist") } });
  await checkFolder(join(folder, "dist"));
});

test("webpack for a server that renders pages, with and without ONNX Runtime for Node", async (context) => {
  const folder = project(context, CLASSIC);
  const program = `
    import { microphone, Stream } from "edgevoice";
    const told = await Stream.load(process.argv[2]).then((stream) => stream.push(new Float32Array(16000)), String);
    console.log(JSON.stringify([typeof microphone, Array.isArray(told) ? told.length : told]));`;
  writeFileSync(join(folder, "server.js"), program);
  const output = { path: join(folder, "server"), filename: "server.cjs", library: { type: "commonjs2" } };
  await pack({ context: folder, target: "node", entry: "./server.js", output });
  const run = () => JSON.parse(execFileSync(process.execPath, [join(folder, "server", "server.cjs"), graph(MODEL)], { encoding: "utf8" }));
  assert.match(run()[1], /GraphError.*onnxruntime-node/);
  symlinkSync(join(ROOT, "node_modules", "onnxruntime-node"), join(folder, "node_modules", "onnxruntime-node"));
  assert.deepEqual(run(), ["function", 3]);
  // Some servers take what browsers take: to import it is no harm either.
  const words = ["--conditions=browser", "--eval", 'import("edgevoice").then(({ microphone }) => console.log(typeof microphone))'];
  assert.equal(execFileSync(process.execPath, words, { cwd: folder, encoding: "utf8" }), "function\n");
});

for (const [format, script] of /** @type {const} */ ([["esm", MODULE], ["iife", CLASSIC]])) {
  test(`esbuild, ${format}`, { skip: missing }, async (context) => {
    const folder = project(context, script);
    const outfile = join(folder, "dist", "main.js");
    await esbuild.build({ absWorkingDir: folder, entryPoints: ["main.js"], bundle: true, format, outfile, logLevel: "error" });
    copy(folder);
    await checkFolder(join(folder, "dist"));
  });
}

test("rollup", { skip: missing }, async (context) => {
  const folder = project(context, MODULE);
  const bundle = await rollup({ input: join(folder, "main.js"), plugins: [nodeResolve()], onwarn: ({ message }) => assert.fail(message) });
  await bundle.write({ dir: join(folder, "dist") });
  copy(folder);
  await checkFolder(join(folder, "dist"));
});

test("places that are given, and a worker that is not there", { skip: missing }, async (context) => {
  const folder = project(context, MODULE);
  const outfile = join(folder, "dist", "main.js");
  await esbuild.build({ absWorkingDir: folder, entryPoints: ["main.js"], bundle: true, format: "esm", outfile });
  const place = join(folder, "dist", "places");
  cpSync(join(folder, "node_modules", "edgevoice", "src", "plain"), join(place, "a"), { recursive: true });
  cpSync(join(folder, "node_modules", "edgevoice", "src", "worklet.js"), join(place, "b.js"));
  cpSync(join(folder, "node_modules", "onnxruntime-web", "dist", "ort.wasm.bundle.min.mjs"), join(place, "c.mjs"));
  cpSync(join(folder, "node_modules", "onnxruntime-web", "dist", "ort-wasm-simd-threaded.wasm"), join(place, "d.wasm"));
  const options = { worker: "places/a/worker.js", runtime: "/places/c.mjs", wasm: "places/d.wasm" };
  await checkFolder(join(folder, "dist"), options, { worklet: "places/b.js" });
  await withFolder(speech, join(folder, "dist"), async (page) => {
    await page.waitForFunction("globalThis.listen");
    const told = await page.evaluate(() => /** @type {any} */ (globalThis).listen().catch(String));
    assert.match(told, /GraphError.*worker\.js cannot be loaded: copy it/);
  });
});

test("types need neither browsers' nor Node's", (context) => {
  const folder = installed(context);
  const program = `
    import { functionals, Stream, type Frame, type LiveFrame, type LoadOptions, type Metadata } from "edgevoice";
    const options: LoadOptions = { wasm: "/a.wasm" };
    const stream: Stream = await Stream.load("a.onnx", options);
    const facts: Metadata = stream.metadata;
    const frames: Frame[] = await stream.push(new Int16Array(facts.hop));
    const live: LiveFrame | null = null;
    export const found: Float64Array = functionals(frames);
    export const late: number | undefined = (live as LiveFrame | null)?.latency;
    // @ts-expect-error: plain arrays are no samples
    await stream.push([0.1]);`;
  writeFileSync(join(folder, "program.ts"), program);
  for (const resolution of ["nodenext", "bundler"]) {
    const words = ["--strict", "--noEmit", "--exactOptionalPropertyTypes", "--target", "es2022", "--lib", "es2022"];
    const how = ["--module", resolution === "bundler" ? "esnext" : resolution, "--moduleResolution", resolution];
    execFileSync(process.execPath, [join(ROOT, "node_modules", ".bin", "tsc"), ...words, ...how, join(folder, "program.ts")], { cwd: folder });
  }
});
