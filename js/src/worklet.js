// Runs in the browser's audio thread: collects the samples of the first channel in blocks, at the rate asked for, and
// posts each with the moment when its last sample was heard. Resamples where the context has another rate.

/** @type {Record<string, number>} */
const SCALES = { Float32Array: 1, Float64Array: 1, Int16Array: 2 ** -15, Int32Array: 2 ** -31 };

/** @typedef {Float32Array | Float64Array | Int16Array | Int32Array} Samples floats of full scale 1, or whole numbers */

/**
 * A copy of samples, of full scale 1.
 * @param {Samples} samples
 * @throws {TypeError} they are of another type
 */
export function floats(samples) {
  const type = typeOf(samples);
  const scale = SCALES[type];
  if (!scale) throw new TypeError(`samples are ${type}: expected one of ${Object.keys(SCALES).join(", ")}`);
  return Float32Array.from(samples, (sample) => sample * scale);
}

/** @param {unknown} value a value of this or another realm, such as a frame's or a `vm`'s */
export function typeOf(value) {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/**
 * Sinc interpolation under a Hann window (J. O. Smith, "Digital Audio Resampling Home Page", CCRMA, Stanford): for
 * samples at other rates than a model's. Its delay is half its length; what comes out begins where its input did.
 */
export class Resampler {
  /** @type {number} */ #from;
  /** @type {number} */ #to;
  #cutoff;
  #half;
  #past = new Float32Array();
  #first = 0;
  #next = 0;
  #taken = 0;
  /** @type {Float64Array[]} */ #weights = []; // by how far a place is beyond a sample, in parts of `to`

  /**
   * @param {number} from sampling rate of what is pushed, in hertz
   * @param {number} to sampling rate of what comes out, in hertz
   * @param {number} zeros crossings of zero on either side of a sample
   * @throws {RangeError} a rate is no whole number above 0
   */
  constructor(from, to, zeros = 48) {
    for (const rate of [from, to]) {
      if (!Number.isInteger(rate) || rate <= 0) throw new RangeError(`rate ${rate}: expected a whole number of hertz`);
    }
    [this.#from, this.#to] = [from, to];
    this.#cutoff = from === to ? 1 : Math.min(1, to / from) * 0.96; // as soxr does at its high quality
    this.#half = from === to ? 1 : Math.ceil(zeros / this.#cutoff); // 1: of the samples themselves, nothing beside them
    this.#begin();
  }

  #begin() {
    this.#past = new Float32Array(this.#half); // silence before the first sample
    this.#first = -this.#half;
    this.#next = this.#taken = 0;
  }

  /**
   * @param {Samples} samples
   * @returns {Float32Array} the samples that they complete
   * @throws {TypeError} they are of another type
   */
  push(samples) {
    const heard = floats(samples);
    const known = new Float32Array(this.#past.length + heard.length);
    known.set(this.#past);
    known.set(heard, this.#past.length);
    const end = this.#first + known.length;
    this.#taken += heard.length;
    const out = [];
    for (; this.#middle() + this.#half < end; this.#next++) {
      const weights = this.#weightsOf((this.#next * this.#from) % this.#to);
      const begin = this.#middle() - this.#half + 1 - this.#first;
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += known[begin + k] * weights[k];
      out.push(sum);
    }
    const keep = Math.max(this.#first, this.#middle() - this.#half);
    this.#past = known.slice(keep - this.#first);
    this.#first = keep;
    return Float32Array.from(out);
  }

  /**
   * End the input, as if silence followed. What is pushed then is the beginning of another one.
   * @returns {Float32Array} the samples that are left
   */
  finish() {
    const left = Math.round((this.#taken * this.#to) / this.#from) - this.#next;
    const rest = this.push(new Float32Array(this.#half + Math.ceil(this.#from / this.#to))).slice(0, Math.max(0, left));
    this.#begin();
    return rest;
  }

  /** The sample at or before the place of the next one. */
  #middle() {
    return Math.floor((this.#next * this.#from) / this.#to);
  }

  /** @param {number} beyond */
  #weightsOf(beyond) {
    return (this.#weights[beyond] ??= Float64Array.from({ length: 2 * this.#half }, (_, k) => {
      const x = beyond / this.#to + this.#half - 1 - k;
      const turn = Math.PI * this.#cutoff * x;
      return (turn === 0 ? 1 : Math.sin(turn) / turn) * this.#cutoff * (0.5 + 0.5 * Math.cos((Math.PI * x) / this.#half));
    }));
  }
}

/**
 * Samples of a recording at another rate: a sample more or less for each that time gives.
 * @param {Samples} samples one channel
 * @param {number} from their rate, in hertz
 * @param {number} to the rate wanted, such as that of a stream
 * @returns {Float32Array}
 * @throws {RangeError} a rate is no whole number above 0
 * @throws {TypeError} the samples are of another type
 */
export function resample(samples, from, to) {
  const resampler = new Resampler(from, to);
  if (from === to) return floats(samples);
  const begun = resampler.push(samples);
  const left = resampler.finish();
  const whole = new Float32Array(begun.length + left.length);
  whole.set(begun);
  whole.set(left, begun.length);
  return whole;
}

const scope = /** @type {any} */ (globalThis);
if (scope.registerProcessor) {
  scope.registerProcessor(
    "edgevoice-capture",
    class extends scope.AudioWorkletProcessor {
      /** @param {{processorOptions: {rate: number, block: number}}} options */
      constructor({ processorOptions: { rate, block } }) {
        super();
        this.resampler = rate === scope.sampleRate ? null : new Resampler(Math.round(scope.sampleRate), rate);
        this.block = new Float32Array(block);
        this.filled = 0;
      }

      /** @param {Float32Array[][]} inputs */
      process([[samples]]) {
        // Without an input, as after the device was unplugged, there are no channels.
        if (samples) this.collect(this.resampler ? this.resampler.push(samples) : samples);
        return true;
      }

      /** @param {Float32Array} samples */
      collect(samples) {
        for (let first = 0; first < samples.length; ) {
          const last = Math.min(samples.length, first + this.block.length - this.filled);
          this.block.set(samples.subarray(first, last), this.filled);
          this.filled += last - first;
          first = last;
          if (this.filled === this.block.length) {
            this.port.postMessage(this.block, [this.block.buffer]);
            this.block = new Float32Array(this.filled);
            this.filled = 0;
          }
        }
      }
    },
  );
}
