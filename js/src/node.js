// The package in Node. A server that renders pages imports it too: nothing here touches a page.
import { readFile } from "node:fs/promises";
import { engineOf } from "./plain/engine.js";
import { fetched, platform } from "./platform.js";

export * from "./index.js";

// Bundlers leave this to the running program: what it names holds native code.
const NATIVE = ["onnxruntime", "node"].join("-");

platform.read = async (address) => {
  if (/^https?:/.test(address)) return fetched(address);
  return new Uint8Array(await readFile(/^file:/.test(address) ? new URL(address) : address));
};
platform.open = async (bytes, { ort, session }) => {
  // ONNX Runtime's native library looks for this when it is loaded: nothing is to be sent or written.
  process.env.ORT_DISABLE_TELEMETRY = "1";
  return engineOf(ort ?? (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ NATIVE)), bytes, session);
};
