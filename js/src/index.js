// What Node and browsers have in common: all that the package exports.
export { EdgeVoiceError, GraphError, HeadError, MicrophoneError, SamplesError, StreamError } from "./errors.js";
export { Frame, functionalNames, functionals, LiveFrame } from "./frame.js";
export { Head, Judge } from "./head.js";
export { microphone } from "./microphone.js";
export { Stream } from "./stream.js";
export { resample, Resampler } from "./worklet.js";

/** @typedef {import("./head.js").Decision} Decision */
/** @typedef {import("./head.js").HeadMetadata} HeadMetadata */
/** @typedef {import("./metadata.js").Metadata} Metadata */
/** @typedef {import("./platform.js").LoadOptions} LoadOptions */
