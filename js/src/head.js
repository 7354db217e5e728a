import { HeadError, messageOf } from "./errors.js";
import { propertiesOf } from "./metadata.js";
import { bytesOf, engineOf } from "./stream.js";

/** @typedef {import("./frame.js").Frame} Frame */
/** @typedef {import("./stream.js").Stream} Stream */

const KEY = "edgevoice.head";
const FORMAT = 1;
/** @type {Record<string, "values" | "bottleneck" | "error">} */
const CHOSEN = { all: "values", bottleneck: "bottleneck", error: "error" };

/**
 * What a head says about itself; its file has more, such as `column`, `counts` and `scores`.
 * @typedef {object} HeadMetadata
 * @property {number} format
 * @property {string[] | null} labels null where it gives a number
 * @property {number} seconds that it judges
 * @property {number} frames in these seconds
 * @property {number} descriptors of a frame
 * @property {number} rate sampling rate, in hertz
 * @property {number} window samples of a window
 * @property {number} hop samples from one window to the next
 * @property {{model: string, networks: Record<string, string>, level: string | number, descriptors: string}} recipe
 */

/**
 * What a head says of the last windows.
 * @typedef {object} Decision
 * @property {string | null} label the most probable one; null where the head gives a number
 * @property {number | null} value the number; null where the head gives a label
 * @property {Record<string, number>} probabilities by label
 * @property {boolean} gap whether one of the windows touches lost samples
 * @property {number} start of the first window, in seconds of the source
 * @property {number} end of the last window, in seconds of the source
 */

/** What turns the last frames into a decision. `edgevoice fit` writes its file. */
export class Head {
  #engine;
  #facts;

  /** @param {import("./platform.js").Engine} engine @param {HeadMetadata} facts */
  constructor(engine, facts) {
    this.#engine = engine;
    this.#facts = facts;
  }

  /**
   * @param {string | {href: string} | ArrayBufferLike | Uint8Array} source its address (in Node also its path), or the
   *     bytes of its file
   * @param {import("./platform.js").LoadOptions} [options]
   * @returns {Promise<Head>}
   * @throws {import("./errors.js").GraphError} it is not there, or ONNX Runtime cannot load it
   * @throws {HeadError} it is no head, or one of a newer format
   */
  static async load(source, options = {}) {
    const bytes = await bytesOf(source);
    const facts = JSON.parse(propertiesOf(bytes)[KEY] ?? "null");
    if (!facts) throw new HeadError("this is no head: make one with edgevoice fit");
    if (facts.format !== FORMAT) throw new HeadError(`a head of format ${facts.format}: this version reads ${FORMAT}`);
    return new Head(await engineOf(bytes, options), facts);
  }

  /** What the head says about itself. */
  get metadata() {
    return this.#facts;
  }

  /**
   * What judges one source, frame by frame.
   * @param {Stream} [stream] that gives the frames
   * @returns {Judge}
   * @throws {HeadError} the head was not fitted with the stream's model, or at another level or hop
   */
  judge(stream) {
    const { recipe, rate, window, hop } = this.#facts;
    const graph = stream?.metadata;
    for (const [name, digest] of Object.entries(graph?.digests ?? {})) {
      if ((recipe.networks[name] ?? digest) !== digest) {
        throw new HeadError(`it was fitted with ${recipe.model}, and this graph, ${graph?.name}, has another ${name}: export ${recipe.model}, or fit it again`);
      }
    }
    for (const [name, value] of Object.entries({ level: recipe.level, rate, window, hop })) {
      const other = /** @type {any} */ (graph)?.[name] ?? value;
      if (other !== value) throw new HeadError(`it was fitted with ${name} ${value}, and this graph has ${other}: fit it again`);
    }
    return new Judge(this.#engine, this.#facts);
  }

  /** Free its memory. */
  release() {
    return this.#engine.release();
  }
}

/** Judges one source. Calls are carried out in their order, also where their promises are not awaited. */
export class Judge {
  /** @type {Promise<unknown>} */ #last = Promise.resolve();
  /** @type {(Frame | null)[]} */ #windows = []; // null: wholly lost
  #next = 0; // number of the window after them
  #engine;
  #facts;

  /** Made by `Head.judge`. @param {import("./platform.js").Engine} engine @param {HeadMetadata} facts */
  constructor(engine, facts) {
    this.#engine = engine;
    this.#facts = facts;
  }

  /**
   * Take the next frame of the source; one that is not later than the last begins a new source.
   * @param {Frame} frame
   * @returns {Promise<Decision | null>} null until the seconds that the head judges have passed, and where more than half
   *     of their frames are silent or lost
   * @throws {HeadError} it has other numbers than the head was fitted with
   */
  push(frame) {
    const { frames, descriptors, recipe } = this.#facts;
    const count = frame[CHOSEN[recipe.descriptors]]?.length;
    if (count !== descriptors) {
      return Promise.reject(new HeadError(`a frame has ${count ?? "no"} numbers (${CHOSEN[recipe.descriptors]}), and the head was fitted with ${descriptors}: use the frames of its model`));
    }
    if (frame.index < this.#next) this.#windows = [];
    const lost = this.#windows.length ? Math.min(frame.index - this.#next, frames) : 0;
    this.#windows = [...this.#windows, ...Array(lost).fill(null), frame].slice(-frames);
    this.#next = frame.index + 1;
    if (this.#windows.length < frames) return Promise.resolve(null);
    const windows = this.#windows;
    const decision = this.#last.then(() => this.#decide(windows, frame));
    this.#last = decision.catch(() => {});
    return decision;
  }

  /**
   * @param {(Frame | null)[]} windows
   * @param {Frame} last
   */
  async #decide(windows, last) {
    const { descriptors, recipe, labels, hop, rate } = this.#facts;
    const values = new Float32Array(windows.length * descriptors);
    windows.forEach((frame, k) => values.set(frame?.[CHOSEN[recipe.descriptors]] ?? [], k * descriptors));
    const silent = Uint8Array.from(windows, (frame) => Number(frame?.silent ?? true));
    let found;
    try {
      found = await this.#engine.run({
        frames: ["float32", values, [windows.length, descriptors]],
        silent: ["bool", silent, [windows.length]],
      });
    } catch (error) {
      throw new HeadError(`the head cannot judge these frames: ${messageOf(error)}`, { cause: error });
    }
    if (!found.decided[0]) return null;
    const numbers = Array.from(found.probabilities ?? [], Number);
    return {
      label: labels ? labels[numbers.indexOf(Math.max(...numbers))] : null,
      value: labels ? null : Number(found.value[0]),
      probabilities: Object.fromEntries((labels ?? []).map((name, k) => [name, numbers[k]])),
      gap: windows.some((frame) => frame?.gap ?? true),
      start: (last.position - (windows.length - 1) * hop) / rate,
      end: last.end,
    };
  }
}
