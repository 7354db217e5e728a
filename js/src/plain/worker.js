// Computes graphs for a page, in a worker. As it is, it needs no bundler: it imports ONNX Runtime from beside it.
// Bundlers take ../worker.js, which brings ONNX Runtime with it.
import { engineOf } from "./engine.js";

/** @type {Promise<any> | undefined} */
let runtime;
/** @type {Map<number, import("../platform.js").Engine>} */
const engines = new Map();
// Put together by hand: bundlers look for the file of a URL, and it is not wanted where they bring ONNX Runtime.
const beside = import.meta.url.replace(/[^/]*([?#].*)?$/, "ort.wasm.bundle.min.mjs");

/** @param {any} ort the module of ONNX Runtime */
export function use(ort) {
  runtime = Promise.resolve(ort);
}

/** @type {Record<string, (asked: any) => Promise<unknown>>} */
const verbs = {
  async load({ engine, bytes, session, wasm, place }) {
    const ort = await (runtime ??= import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ place ?? beside));
    ort.env.wasm.numThreads = 1;
    if (wasm) ort.env.wasm.wasmPaths = { wasm };
    engines.set(engine, await engineOf(ort, bytes, session));
  },
  run: ({ engine, feeds }) => engineAt(engine).run(feeds),
  async release({ engine }) {
    const held = engines.get(engine);
    engines.delete(engine);
    await held?.release();
  },
};

/** @param {number} number */
function engineAt(number) {
  const engine = engines.get(number);
  if (!engine) throw new Error("it was released");
  return engine;
}

addEventListener("message", async ({ data: { id, verb, ...asked } }) => {
  try {
    postMessage({ id, value: await verbs[verb](asked) });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
