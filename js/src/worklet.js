// Runs in the browser's audio thread: collects the samples of the first channel in blocks, at the rate asked for, and
// posts each with the moment when its last sample was heard. Resamples where the context has another rate.

/**
 * Sinc interpolation under a Hann window (J. O. Smith, "Digital Audio Resampling Home Page", CCRMA, Stanford): for
 * browsers that refuse a microphone at the rate of a model. Its delay is half its length.
 */
export class Resampler {
  #ratio;
  #cutoff;
  #half;
  #past = new Float32Array(0);
  #next = 0;
  #first = 0;

  /**
   * @param {number} from sampling rate of what is pushed
   * @param {number} to sampling rate of what comes out
   * @param {number} zeros crossings of zero on either side of a sample
   */
  constructor(from, to, zeros = 24) {
    this.#ratio = from / to;
    this.#cutoff = Math.min(1, to / from) * 0.94;
    this.#half = Math.ceil(zeros / this.#cutoff);
    this.#past = new Float32Array(this.#half); // silence before the first sample
    this.#first = -this.#half;
  }

  /**
   * @param {Float32Array} samples
   * @returns {Float32Array} the samples that they complete
   */
  push(samples) {
    const known = new Float32Array(this.#past.length + samples.length);
    known.set(this.#past);
    known.set(samples, this.#past.length);
    const end = this.#first + known.length;
    const out = [];
    for (; ; this.#next++) {
      const at = this.#next * this.#ratio;
      const middle = Math.floor(at);
      if (middle + this.#half >= end) break;
      let sum = 0;
      for (let k = middle - this.#half + 1; k <= middle + this.#half; k++) {
        const x = at - k;
        const taper = 0.5 + 0.5 * Math.cos((Math.PI * x) / this.#half);
        const sinc = x === 0 ? 1 : Math.sin(Math.PI * this.#cutoff * x) / (Math.PI * this.#cutoff * x);
        sum += known[k - this.#first] * sinc * taper;
      }
      out.push(sum * this.#cutoff);
    }
    const keep = Math.max(this.#first, Math.floor(this.#next * this.#ratio) - this.#half);
    this.#past = known.slice(keep - this.#first);
    this.#first = keep;
    return Float32Array.from(out);
  }
}

const scope = /** @type {any} */ (globalThis);
if (scope.registerProcessor) {
  scope.registerProcessor(
    "edgevoice-capture",
    class extends scope.AudioWorkletProcessor {
      /** @param {{processorOptions: {rate: number, block: number}}} options */
      constructor({ processorOptions: { rate, block } }) {
        super();
        this.resampler = rate === scope.sampleRate ? null : new Resampler(scope.sampleRate, rate);
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
