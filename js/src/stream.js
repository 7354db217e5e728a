import { GraphError, messageOf, SamplesError, StreamError } from "./errors.js";
import { Frame, unitsOf } from "./frame.js";
import { metadataOf } from "./metadata.js";
import { platform } from "./platform.js";
import { floats, typeOf } from "./worklet.js";

/** @typedef {import("./metadata.js").Metadata} Metadata */
/** @typedef {import("./platform.js").Engine} Engine */

const QUIETEST = 1e-20; // mean square of digital silence, -200 dB

/**
 * One source of audio going through a live graph: samples in, in chunks of any length; frames out. Calls are carried out
 * in their order, also where their promises are not awaited. The frames are those of EdgeVoice in Python, within 1e-5.
 */
export class Stream {
  /** @type {Promise<unknown>} */ #last = Promise.resolve();
  #engine;
  #facts;
  #units;
  /** @type {Float32Array} */ #hop;
  /** @type {Uint8Array} */ #lost;
  /** @type {Float32Array} */ #state;
  /** @type {Float64Array} */ #power; // mean square of each step of the window
  #filled = 0;
  #hops = 0;
  #lostWindows = 0;
  /** @type {Error | null} */ #failure = null;

  /**
   * A stream of its own through the graph of another one is made by its `another`; the first one by `Stream.load`.
   * @param {Engine} engine
   * @param {Metadata} facts
   */
  constructor(engine, facts) {
    this.#engine = engine;
    this.#facts = facts;
    this.#units = unitsOf(facts.names);
    this.#hop = new Float32Array(facts.hop);
    this.#lost = new Uint8Array(facts.hop / facts.step);
    this.#state = new Float32Array(facts.state);
    this.#power = new Float64Array(facts.window / facts.step);
  }

  /**
   * Load a live graph, which `edgevoice-export live` writes.
   * @param {string | {href: string} | ArrayBufferLike | Uint8Array} source its address (in Node also its path), or the
   *     bytes of its file
   * @param {import("./platform.js").LoadOptions} [options]
   * @returns {Promise<Stream>}
   * @throws {GraphError} it is not there, is no live graph, or ONNX Runtime cannot load it
   */
  static async load(source, options = {}) {
    const bytes = await bytesOf(source);
    const facts = metadataOf(bytes);
    return new Stream(await engineOf(bytes, options), facts);
  }

  /** What the graph says about itself. */
  get metadata() {
    return this.#facts;
  }

  /** Sampling rate of what is pushed, in hertz. */
  get rate() {
    return this.#facts.rate;
  }

  /** Samples of the source so far, lost ones included. */
  get position() {
    return this.#hops * this.#facts.hop + this.#filled;
  }

  /** Windows that lay wholly in lost samples: counted, not given out. */
  get lostWindows() {
    return this.#lostWindows;
  }

  /** A new source through the same graph, which is loaded once. */
  another() {
    return new Stream(this.#engine, this.#facts);
  }

  /**
   * Take the next samples of one channel at the graph's rate: floats of full scale 1, or whole numbers of 16 or 32 bits.
   * `resample` brings others to that rate.
   * @param {import("./worklet.js").Samples} samples they may be changed as soon as this returns
   * @returns {Promise<Frame[]>} the frames whose windows they complete, often none
   * @throws {SamplesError} they are of another type, or not finite; the stream stays as it was
   */
  push(samples) {
    let copy;
    try {
      copy = floats(samples);
    } catch (error) {
      return Promise.reject(new SamplesError(messageOf(error)));
    }
    const at = copy.findIndex((sample) => !Number.isFinite(sample));
    if (at >= 0) return Promise.reject(new SamplesError(`sample ${at} of ${samples.length} is ${samples[at]}`));
    return this.#next(() => this.#take(copy.length, (first, last) => this.#hop.set(copy.subarray(first, last), this.#filled)));
  }

  /**
   * Say that so many samples of the source were lost. They count in positions; a window that touches them has `gap` set.
   * A step of which a part is lost counts as lost. Hours cost no more than a second does.
   * @param {number} count
   * @returns {Promise<Frame[]>} frames of windows that reach into them
   */
  lost(count) {
    if (!Number.isSafeInteger(count) || count < 0) {
      return Promise.reject(new RangeError(`lost ${count}: expected a number of samples, 0 or more`));
    }
    const { hop, window, step } = this.#facts;
    const fill = (/** @type {number} */ first, /** @type {number} */ last) => {
      const begin = this.#filled;
      this.#hop.fill(0, begin, begin + last - first);
      this.#lost.fill(1, Math.floor(begin / step), Math.ceil((begin + last - first) / step));
    };
    return this.#next(async () => {
      // Once a window and a hop are lost, everything that the graph remembers is part of the gap, and stays as it is.
      const settled = Math.min(count, window + hop);
      const frames = await this.#take(settled, fill);
      const jumps = Math.floor((count - settled) / hop);
      this.#hops += jumps;
      this.#lostWindows += jumps;
      return frames.concat(await this.#take(count - settled - jumps * hop, fill));
    });
  }

  /** Forget all audio: the stream is as new. */
  reset() {
    return this.#next(async () => {
      this.#state.fill(0);
      this.#lost.fill(0);
      this.#power.fill(0);
      this.#filled = this.#hops = this.#lostWindows = 0;
      this.#failure = null;
    }, true);
  }

  /** Free the graph's memory. This stream and all others through the same graph have ended. */
  release() {
    return this.#next(() => this.#engine.release(), true);
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @param {boolean} [always] also after a failure
   * @returns {Promise<T>}
   */
  #next(work, always = false) {
    const done = this.#last.then(() => {
      if (this.#failure && !always) {
        throw new StreamError("computing failed before: reset() begins anew", { cause: this.#failure });
      }
      return work();
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /**
   * @param {number} count
   * @param {(first: number, last: number) => void} fill puts a part into the hop at hand
   */
  async #take(count, fill) {
    const frames = [];
    for (let first = 0; first < count; ) {
      const last = Math.min(count, first + this.#facts.hop - this.#filled);
      fill(first, last);
      this.#filled += last - first;
      first = last;
      if (this.#filled === this.#facts.hop) {
        const frame = await this.#run();
        if (frame) frames.push(frame);
      }
    }
    return frames;
  }

  /** @returns {Promise<Frame | null>} */
  async #run() {
    const { hop, window, step, state } = this.#facts;
    let found;
    try {
      found = await this.#engine.run({
        samples: ["float32", this.#hop.slice(), [1, hop]],
        lost: ["bool", this.#lost.slice(), [1, hop / step]],
        state: ["float32", this.#state, [1, state]],
      });
    } catch (error) {
      this.#failure = /** @type {Error} */ (error);
      throw new StreamError(`computing failed: ${messageOf(error)}`, { cause: error });
    }
    this.#state = Float32Array.from(found.state_out);
    this.#measure();
    this.#filled = 0;
    this.#hops += 1;
    this.#lost.fill(0);
    if (this.#hops * hop < window) return null;
    if (!found.ready[0]) {
      this.#lostWindows += 1;
      return null;
    }
    const position = this.#hops * hop - window;
    const power = this.#power.reduce((sum, x) => sum + x, 0) / this.#power.length;
    return new Frame(this.#facts, this.#units, {
      index: position / hop,
      position,
      silent: Boolean(found.silent[0]),
      gap: Boolean(found.gap[0]),
      loudness: 10 * Math.log10(Math.max(power, QUIETEST)),
      values: Float32Array.from(found.descriptors),
    });
  }

  /** Take the hop at hand into the mean squares of the steps. */
  #measure() {
    const { step } = this.#facts;
    const steps = this.#lost.length;
    this.#power.copyWithin(0, steps);
    for (let k = 0; k < steps; k++) {
      const part = this.#hop.subarray(k * step, (k + 1) * step);
      this.#power[this.#power.length - steps + k] = part.reduce((sum, x) => sum + x * x, 0) / step;
    }
  }
}

/**
 * The bytes of a file: read from where it is, if they are not given.
 * @param {string | {href: string} | ArrayBufferLike | Uint8Array} source
 * @returns {Promise<Uint8Array>}
 */
export async function bytesOf(source) {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (/^(Shared)?ArrayBuffer$/.test(typeOf(source))) return new Uint8Array(/** @type {ArrayBuffer} */ (source));
  const address = String(/** @type {{href: string}} */ (Object(source)).href ?? source);
  try {
    return await platform.read(address);
  } catch (error) {
    throw new GraphError(`${address} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * @param {Uint8Array} bytes of a graph
 * @param {import("./platform.js").LoadOptions} options
 */
export async function engineOf(bytes, options) {
  try {
    return await platform.open(bytes, options);
  } catch (error) {
    throw new GraphError(`ONNX Runtime cannot load it: ${messageOf(error)}`, { cause: error });
  }
}
