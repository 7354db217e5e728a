import { MicrophoneError } from "./errors.js";
import { LiveFrame, unitsOf } from "./frame.js";
import { beside } from "./platform.js";

/** @typedef {import("./stream.js").Stream} Stream */

// Programs for Node have no types of browsers: so these say what is needed of theirs.
/** @typedef {{getTracks(): {stop(): void}[]}} Media a MediaStream */
/** @typedef {{readonly aborted: boolean, addEventListener(type: "abort", listener: () => void): void}} Signal an AbortSignal */

const JUMP = 0.1; // seconds by which samples must fall behind the clock to count as lost
const SETTLED = 1; // seconds of audio for which they must stay there: what only comes late catches up

/**
 * Frames of a browser's microphone, from now until the loop is left or `signal` is aborted. Echo cancellation, noise
 * suppression and gain control are off: they change what is heard. Audio that was lost, as while the tab slept, is
 * reported to the stream.
 * @param {Stream} stream
 * @param {object} [options]
 * @param {string} [options.device] its deviceId, as `navigator.mediaDevices.enumerateDevices` tells
 * @param {Signal} [options.signal] ends the loop
 * @param {(samples: Float32Array, lost: number) => void} [options.onblock] gets each block, and how many samples were lost
 *     before it
 * @param {Media} [options.media] a stream to listen to instead of a microphone
 * @param {string | {href: string}} [options.worklet] the place of `worklet.js`; by default beside the package's module or
 *     the bundle
 * @returns {AsyncGenerator<LiveFrame>}
 * @throws {MicrophoneError} it is refused, not there, or stopped
 */
export async function* microphone(stream, { device, signal, onblock, media, worklet = beside("worklet.js") } = {}) {
  if (!globalThis.navigator?.mediaDevices) {
    throw new MicrophoneError("there is no microphone here: it needs a browser, and a page served by https or from localhost");
  }
  const source = /** @type {MediaStream} */ (media) ?? (await open(device));
  /** @type {AudioContext | undefined} */
  let context;
  try {
    const captured = await capture(source, stream, worklet);
    context = captured.context;
    yield* frames(captured.node, source, stream, signal, onblock);
  } finally {
    if (!media) for (const track of source.getTracks()) track.stop();
    await context?.close();
  }
}

/** @param {string | undefined} device */
async function open(device) {
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: device ? { ...audio, deviceId: { exact: device } } : audio });
  } catch (error) {
    throw new MicrophoneError(`the microphone cannot be opened: ${error}`, { cause: error });
  }
}

/**
 * @param {MediaStream} source
 * @param {Stream} stream
 * @param {string | {href: string} | undefined} worklet
 */
async function capture(source, stream, worklet) {
  const { rate, step } = stream.metadata;
  /** @type {unknown} */
  let refused;
  // Firefox does not connect a microphone to a context of another rate: then the worklet resamples.
  for (const options of [{ sampleRate: rate, latencyHint: "interactive" }, { latencyHint: "interactive" }]) {
    const context = new AudioContext(/** @type {AudioContextOptions} */ (options));
    try {
      const input = context.createMediaStreamSource(source);
      await context.audioWorklet.addModule(worklet ? String(Object(worklet).href ?? worklet) : new URL("./worklet.js", import.meta.url));
      const node = new AudioWorkletNode(context, "edgevoice-capture", {
        numberOfOutputs: 0,
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { rate, block: step },
      });
      input.connect(node);
      await context.resume();
      return { context, node };
    } catch (error) {
      refused = error;
      await context.close();
    }
  }
  throw new MicrophoneError(`audio cannot be captured: ${refused}`, { cause: refused });
}

/**
 * @param {AudioWorkletNode} node
 * @param {MediaStream} source
 * @param {Stream} stream
 * @param {Signal | undefined} signal
 * @param {((samples: Float32Array, lost: number) => void) | undefined} onblock
 * @returns {AsyncGenerator<LiveFrame>}
 */
async function* frames(node, source, stream, signal, onblock) {
  /** @type {{frame: import("./frame.js").Frame, captured: number}[]} */
  const waiting = [];
  /** @type {unknown} */
  let failure = null;
  let ended = false;
  let wake = () => {};
  const clock = new Clock(stream.rate);
  const units = unitsOf(stream.metadata.names);
  const end = (/** @type {unknown} */ error = null) => {
    failure ??= error;
    ended = true;
    wake();
  };
  node.port.onmessage = async ({ data: samples }) => {
    const now = performance.now();
    const lost = clock.place(samples.length, now);
    onblock?.(samples, lost);
    try {
      const found = [...(lost ? await stream.lost(lost) : []), ...(await stream.push(samples))];
      waiting.push(...found.map((frame) => ({ frame, captured: now })));
      wake();
    } catch (error) {
      end(error);
    }
  };
  node.onprocessorerror = () => end(new MicrophoneError("the audio thread failed"));
  for (const track of source.getTracks()) track.onended = () => end(new MicrophoneError("the microphone stopped"));
  signal?.addEventListener("abort", () => end());
  try {
    while (true) {
      for (let next; (next = waiting.shift()); ) {
        const live = new LiveFrame(stream.metadata, units, next.frame);
        live.captured = next.captured / 1000;
        live.time = (performance.timeOrigin + next.captured) / 1000;
        live.latency = performance.now() / 1000 - live.captured;
        yield live;
      }
      if (ended || signal?.aborted) break;
      await new Promise((resolve) => (wake = () => resolve(undefined)));
    }
    if (failure) throw failure;
  } finally {
    node.port.onmessage = null;
    node.disconnect();
  }
}

/** Follows samples with the clock: says how many were lost, when they have fallen behind it for good. */
export class Clock {
  #rate;
  #heard = 0;
  #least = Infinity;
  #raised = Infinity;
  #since = 0;

  /** @param {number} rate */
  constructor(rate) {
    this.#rate = rate;
  }

  /**
   * Take a block into account that arrived at a moment, in milliseconds; return how many samples were lost before it.
   * @param {number} count
   * @param {number} now
   */
  place(count, now) {
    this.#heard += count;
    // Constant but for what delays a block: the least delayed one tells how the samples and the clock belong together.
    const lag = now / 1000 - this.#heard / this.#rate;
    if (lag <= this.#least + JUMP) {
      // Slowly upwards, for the clock of a device may drift: 1e-4 of the time.
      this.#least = Math.min(lag, this.#least + (1e-4 * count) / this.#rate);
      this.#raised = Infinity;
      return 0;
    }
    if (this.#raised === Infinity) this.#since = this.#heard;
    this.#raised = Math.min(this.#raised, lag);
    if (this.#heard - this.#since < SETTLED * this.#rate) return 0;
    const lost = Math.round((this.#raised - this.#least) * this.#rate);
    this.#heard += lost;
    this.#raised = Infinity;
    return lost;
  }
}
