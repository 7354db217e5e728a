import { HeadError, messageOf } from "./errors.js";
import { propertiesOf } from "./metadata.js";
import { bytesOf, engineOf } from "./stream.js";

/** @typedef {import("./frame.js").Frame} Frame */
/** @typedef {import("./stream.js").Stream} Stream */

const KEY = "edgevoice.head";

/**
 * What a head says about itself.
 * @typedef {object} HeadMetadata
 * @property {string[]} labels none where it gives a number
 * @property {number} seconds that it judges
 * @property {number} frames in these seconds
 * @property {number} hop samples from one frame to the next
 * @property {string | number} level
 * @property {string} model
 * @property {Record<string, string>} digests of the model's networks
 */

/**
 * What a head says of the last frames.
 * @typedef {object} Decision
 * @property {string | null} label the most probable one; null where the head gives a number
 * @property {number | null} value the number; null where the head gives a label
 * @property {Record<string, number>} probabilities by label
 * @property {number} start of the first frame, in seconds of the source
 * @property {number} end of the last frame, in seconds of the source
 */

/** What turns the last frames into a decision. `edgevoice fit` writes its file. */
export class Head {
  #engine;
  #facts;

  /**
   * @param {import("./platform.js").Engine} engine
   * @param {HeadMetadata} facts
   */
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
   * @throws {HeadError} it is no head
   */
  static async load(source, options = {}) {
    const bytes = await bytesOf(source);
    const text = propertiesOf(bytes)[KEY];
    if (!text) throw new HeadError("this is no head: make one with edgevoice fit");
    return new Head(await engineOf(bytes, options), JSON.parse(text));
  }

  /** What the head says about itself. */
  get metadata() {
    return this.#facts;
  }

  /**
   * What judges one source, frame by frame.
   * @param {Stream} [stream] that gives the frames: where it is not one that the head was fitted with, this is an error
   * @returns {Judge}
   * @throws {HeadError} the stream's model, level or hop are others
   */
  judge(stream) {
    if (stream) this.#check(stream.metadata);
    return new Judge(this.#engine, this.#facts);
  }

  /** Free its memory. */
  release() {
    return this.#engine.release();
  }

  /** @param {import("./metadata.js").Metadata} graph */
  #check(graph) {
    const { model, digests, level, hop } = this.#facts;
    for (const [name, digest] of Object.entries(digests)) {
      if (graph.digests[name] !== digest) {
        throw new HeadError(`the head was fitted with ${model}, and ${name} of this graph, ${graph.name}, is another: export ${model}, or fit a head again`);
      }
    }
    for (const [name, own, other] of [["level", level, graph.level], ["hop", hop, graph.hop]]) {
      if (own !== other) throw new HeadError(`the head was fitted at ${name} ${own}, and this graph has ${other}`);
    }
  }
}

/** Judges one source. Calls are carried out in their order, also where their promises are not awaited. */
export class Judge {
  /** @type {Promise<unknown>} */ #last = Promise.resolve();
  /** @type {Frame[]} */ #frames = [];
  #engine;
  #facts;

  /**
   * Made by `Head.judge`.
   * @param {import("./platform.js").Engine} engine
   * @param {HeadMetadata} facts
   */
  constructor(engine, facts) {
    this.#engine = engine;
    this.#facts = facts;
  }

  /**
   * Take the next frame of the source.
   * @param {Frame} frame
   * @returns {Promise<Decision | null>} null as long as fewer frames than the head judges were heard, and where too few of
   *     them are not silent
   */
  push(frame) {
    this.#frames.push(frame);
    if (this.#frames.length > this.#facts.frames) this.#frames.shift();
    if (this.#frames.length < this.#facts.frames) return Promise.resolve(null);
    const frames = [...this.#frames];
    const decision = this.#last.then(() => this.#decide(frames));
    this.#last = decision.catch(() => {});
    return decision;
  }

  /** Forget all frames: a new source begins. */
  reset() {
    this.#frames = [];
  }

  /** @param {Frame[]} frames */
  async #decide(frames) {
    const wide = frames[0].values.length;
    const values = new Float32Array(frames.length * wide);
    frames.forEach((frame, k) => values.set(frame.values, k * wide));
    let found;
    try {
      found = await this.#engine.run({
        frames: ["float32", values, [frames.length, wide]],
        silent: ["bool", Uint8Array.from(frames, (frame) => Number(frame.silent)), [frames.length]],
      });
    } catch (error) {
      throw new HeadError(`the head cannot judge these frames: ${messageOf(error)}`, { cause: error });
    }
    if (!found.decided[0]) return null;
    const [start, end] = [frames[0].start, frames[frames.length - 1].end];
    if (found.value) return { label: null, value: Number(found.value[0]), probabilities: {}, start, end };
    const { labels } = this.#facts;
    const numbers = Array.from(found.probabilities, Number);
    const label = labels[numbers.indexOf(Math.max(...numbers))];
    return { label, value: null, probabilities: Object.fromEntries(labels.map((name, k) => [name, numbers[k]])), start, end };
  }
}
