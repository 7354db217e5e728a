// The package in browsers: graphs are computed in one worker, so that the page stays smooth.
import { engineOf } from "./plain/engine.js";
import { beside, fetched, platform } from "./platform.js";

export * from "./index.js";

platform.read = fetched;
platform.open = async (bytes, { ort, session, worker = beside("worker.js"), wasm, runtime }) => {
  if (ort) return engineOf(ort, bytes, session);
  const places = { wasm: absolute(wasm), place: absolute(runtime) };
  const key = JSON.stringify([absolute(worker), places]);
  const helper = helpers.get(key) ?? new Helper(absolute(worker), () => helpers.delete(key));
  helpers.set(key, helper);
  const engine = helper.count++;
  await helper.ask({ verb: "load", engine, bytes, session, ...places });
  return {
    run: (feeds) => helper.ask({ verb: "run", engine, feeds }),
    release: () => helper.ask({ verb: "release", engine }),
  };
};

/** @type {Map<string, Helper>} by their places: a page has one worker, whatever it loads */
const helpers = new Map();

/** @param {string | {href: string} | undefined} place */
function absolute(place) {
  return place && new URL(typeof place === "string" ? place : place.href, globalThis.document?.baseURI ?? location.href).href;
}

/** A worker, and what it was asked and has not answered yet. */
class Helper {
  count = 0;
  #asked = 0;
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();
  #worker;
  /** @type {Error | null} */ #failure = null;

  /** @param {string | undefined} place @param {() => void} failed */
  constructor(place, failed) {
    // Bundlers look for the second of these, letter by letter.
    this.#worker = place ? new Worker(place, { type: "module" }) : new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data: { id, value, error } }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      failed();
      const reason = event.message ?? `${place ?? "worker.js"} cannot be loaded: copy it beside the bundle, or give its place as \`worker\``;
      this.#failure = new Error(`the worker failed: ${reason}`);
      for (const { reject } of this.#waiting.values()) reject(this.#failure);
      this.#worker.terminate();
    };
  }

  /**
   * @param {Record<string, unknown>} message
   * @returns {Promise<any>}
   */
  ask(message) {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...message });
    });
  }
}
