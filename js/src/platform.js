/**
 * Computes one graph.
 * @typedef {object} Engine
 * @property {(feeds: Feeds) => Promise<Record<string, ArrayLike<any>>>} run the outputs by their names
 * @property {() => Promise<void>} release frees its memory
 */

/** @typedef {Record<string, [type: string, data: unknown, dims: number[]]>} Feeds inputs by their names */

/**
 * @typedef {object} LoadOptions
 * @property {any} [ort] the module of ONNX Runtime to compute with, in this thread; by default onnxruntime-node in Node,
 *     and in browsers onnxruntime-web in a worker
 * @property {object} [session] ONNX Runtime's options for the session
 * @property {string | {href: string}} [worker] in browsers: the place of `worker.js`; by default beside the package's
 *     module or the bundle
 * @property {string | {href: string}} [wasm] in browsers: the place of ONNX Runtime's WebAssembly
 * @property {string | {href: string}} [runtime] in browsers: the place of ONNX Runtime's module, for a worker that was
 *     copied and not bundled; by default `ort.wasm.bundle.min.mjs` beside it
 */

/**
 * What differs between Node and browsers: `node.js` and `browser.js` set it.
 * @type {{
 *   read: (address: string) => Promise<Uint8Array>,
 *   open: (bytes: Uint8Array, options: LoadOptions) => Promise<Engine>,
 * }}
 */
export const platform = /** @type {any} */ ({});

const script = /** @type {any} */ (globalThis).document?.currentScript?.src;

/**
 * The place of a file beside a bundle that is no module, such as esbuild's iife; undefined in modules, which know theirs.
 * @param {string} name
 */
export const beside = (name) => (import.meta.url ? undefined : new URL(name, script).href);

/**
 * The bytes of what an address leads to.
 * @param {string} address
 */
export async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}
