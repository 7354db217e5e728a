import { GraphError, SamplesError, StreamError } from "./errors.js";
import { metadataOf } from "./metadata.js";

/** @typedef {import("./metadata.js").Metadata} Metadata */

/**
 * The descriptors of one window, with its place in time.
 * @typedef {object} Frame
 * @property {number} index number of the window, from 0; lost windows are counted too
 * @property {number} position first sample of the window, lost samples included
 * @property {number} start of the window, in seconds of the source
 * @property {number} end of the window, in seconds of the source
 * @property {boolean} silent whether its peak is below one step of 16-bit audio
 * @property {boolean} gap whether it touches lost samples, for which zeros stand in
 * @property {Float32Array} values bottleneck, then errors
 * @property {Float32Array} bottleneck a view of `values`
 * @property {Float32Array} error a view of `values`, one for each band
 */

/**
 * One source of audio going through a live graph: samples in, in chunks of any length; frames out. Calls are carried out
 * in their order, also where their promises are not awaited. The frames are those of EdgeVoice in Python, within 1e-5.
 */
export class Stream {
  /** @type {Promise<unknown>} */ #last = Promise.resolve();
  #ort;
  #session;
  #facts;
  #bottleneck;
  /** @type {Float32Array} */ #hop;
  /** @type {Uint8Array} */ #lost;
  /** @type {Float32Array} */ #state;
  #filled = 0;
  #hops = 0;
  #lostWindows = 0;
  /** @type {Error | null} */ #failure = null;

  /**
   * A stream of its own through the graph of another one is made by its `another`; the first one by `Stream.load`.
   * @param {any} ort the module of ONNX Runtime
   * @param {any} session
   * @param {Metadata} facts
   */
  constructor(ort, session, facts) {
    this.#ort = ort;
    this.#session = session;
    this.#facts = facts;
    this.#bottleneck = facts.names.filter((name) => name.startsWith("bottleneck")).length;
    this.#hop = new Float32Array(facts.hop);
    this.#lost = new Uint8Array(facts.hop / facts.step);
    this.#state = new Float32Array(facts.state);
  }

  /**
   * Load a live graph, which `edgevoice-export live` writes.
   * @param {string | URL | ArrayBuffer | Uint8Array} source its address (in Node also its path), or the bytes of its file
   * @param {object} [options]
   * @param {any} [options.ort] the module of ONNX Runtime; by default onnxruntime-node in Node, onnxruntime-web elsewhere
   * @param {boolean} [options.worker] in browsers: whether the graph is computed in a worker, so that the page stays smooth
   * @param {object} [options.session] ONNX Runtime's options for the session
   * @returns {Promise<Stream>}
   */
  static async load(source, { ort, worker = true, session = {} } = {}) {
    const bytes = await bytesOf(source);
    const facts = metadataOf(bytes);
    const runtime = ort ?? (await runtimeOf(worker));
    const options = { intraOpNumThreads: 1, logSeverityLevel: 3, ...session };
    try {
      return new Stream(runtime, await runtime.InferenceSession.create(bytes, options), facts);
    } catch (error) {
      throw new GraphError(`ONNX Runtime cannot load it: ${messageOf(error)}`, { cause: error });
    }
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
    return new Stream(this.#ort, this.#session, this.#facts);
  }

  /**
   * Take the next samples of one channel at the graph's rate, full scale 1.
   * @param {Float32Array} samples they may be changed as soon as this returns
   * @returns {Promise<Frame[]>} the frames whose windows they complete, often none
   * @throws {SamplesError} they are no Float32Array, or not finite; the stream stays as it was
   */
  push(samples) {
    if (!(samples instanceof Float32Array)) {
      return Promise.reject(new SamplesError("samples are no Float32Array"));
    }
    const at = samples.findIndex((sample) => !Number.isFinite(sample));
    if (at >= 0) return Promise.reject(new SamplesError(`sample ${at} of ${samples.length} is ${samples[at]}`));
    const copy = samples.slice();
    return this.#next(() => this.#take(copy.length, (first, last) => this.#hop.set(copy.subarray(first, last), this.#filled)));
  }

  /**
   * Say that so many samples of the source were lost. They count in positions; a window that touches them has `gap` set.
   * A step of which a part is lost counts as lost.
   * @param {number} count
   * @returns {Promise<Frame[]>} frames of windows that reach into them
   */
  lost(count) {
    if (!Number.isInteger(count) || count < 0) {
      return Promise.reject(new RangeError(`lost ${count}: expected a number of samples, 0 or more`));
    }
    return this.#next(() =>
      this.#take(count, (first, last) => {
        const begin = this.#filled;
        this.#hop.fill(0, begin, begin + last - first);
        const { step } = this.#facts;
        this.#lost.fill(1, Math.floor(begin / step), Math.ceil((begin + last - first) / step));
      }),
    );
  }

  /** Forget all audio: the stream is as new. */
  reset() {
    return this.#next(async () => {
      this.#state.fill(0);
      this.#lost.fill(0);
      this.#filled = this.#hops = this.#lostWindows = 0;
      this.#failure = null;
    }, true);
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
    const { hop, window, rate, step, state } = this.#facts;
    const { Tensor } = this.#ort;
    let found;
    try {
      found = await this.#session.run({
        samples: new Tensor("float32", this.#hop.slice(), [1, hop]),
        lost: new Tensor("bool", this.#lost.slice(), [1, hop / step]),
        state: new Tensor("float32", this.#state, [1, state]),
      });
    } catch (error) {
      this.#failure = /** @type {Error} */ (error);
      throw new StreamError(`computing failed: ${messageOf(error)}`, { cause: error });
    }
    this.#state = Float32Array.from(found.state_out.data);
    this.#filled = 0;
    this.#hops += 1;
    this.#lost.fill(0);
    if (this.#hops * hop < window) return null;
    if (!found.ready.data[0]) {
      this.#lostWindows += 1;
      return null;
    }
    const values = Float32Array.from(found.descriptors.data);
    const position = this.#hops * hop - window;
    return {
      index: position / hop,
      position,
      start: position / rate,
      end: (position + window) / rate,
      silent: Boolean(found.silent.data[0]),
      gap: Boolean(found.gap.data[0]),
      values,
      bottleneck: values.subarray(0, this.#bottleneck),
      error: values.subarray(this.#bottleneck),
    };
  }
}

/** @param {string | URL | ArrayBuffer | Uint8Array} source */
async function bytesOf(source) {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  const address = String(source);
  if (isNode() && !/^https?:/.test(address)) {
    const { readFile } = await import("node:fs/promises");
    return new Uint8Array(await readFile(/^file:/.test(address) ? new URL(address) : address));
  }
  const answer = await fetch(source);
  if (!answer.ok) throw new GraphError(`${address}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** @param {boolean} worker */
async function runtimeOf(worker) {
  if (isNode()) {
    // ONNX Runtime's native library looks for this when it is loaded: nothing is to be sent or written.
    process.env.ORT_DISABLE_TELEMETRY = "1";
    return import("onnxruntime-node");
  }
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = worker;
  return ort;
}

function isNode() {
  return typeof process !== "undefined" && Boolean(process.versions?.node);
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
