/** Root of the errors that EdgeVoice raises on purpose. */
export class EdgeVoiceError extends Error {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A file is not a live graph, or ONNX Runtime cannot load it. */
export class GraphError extends EdgeVoiceError {}

/** Samples have another type than Float32Array, or hold NaN or infinity. */
export class SamplesError extends EdgeVoiceError {}

/** A stream is used out of order, or computing failed and it has lost its place. */
export class StreamError extends EdgeVoiceError {}

/** The microphone cannot be opened, or stopped. */
export class MicrophoneError extends EdgeVoiceError {}
