export { EdgeVoiceError, GraphError, SamplesError, StreamError, MicrophoneError } from "./errors.js";
export { Stream } from "./stream.js";
export { microphone } from "./microphone.js";
