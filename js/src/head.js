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

/** A head: what turns the last frames into a decision. `edgevoice fit` writes its file. */
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
}
