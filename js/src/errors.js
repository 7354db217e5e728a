/** Root of the errors that EdgeVoice raises on purpose. */
export class EdgeVoiceError extends Error {}

/** A file is not there, is not a live graph or a head, or ONNX Runtime cannot load it. */
export class GraphError extends EdgeVoiceError {}

/** A head is used with a graph or frames that it was not fitted with. */
export class HeadError extends EdgeVoiceError {}

/** Samples have a type that is not taken, or hold NaN or infinity. */
export class SamplesError extends EdgeVoiceError {}

/** A stream is used out of order, or computing failed and it has lost its place. */
export class StreamError extends EdgeVoiceError {}

/** The microphone cannot be opened, or stopped. */
export class MicrophoneError extends EdgeVoiceError {}

// Spelled here, for bundlers give classes other names.
const KINDS = { EdgeVoiceError, GraphError, HeadError, SamplesError, StreamError, MicrophoneError };
for (const [name, kind] of Object.entries(KINDS)) kind.prototype.name = name;

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
