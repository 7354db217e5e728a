// EdgeVoice as a process beside a program on Node, such as the main process of Electron: samples in, JSON Lines out.
//
//     node sidecar.mjs edgevoice --head sex.onnx < samples.raw     (16 kHz, one channel, int16)

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [program, ...words] = process.argv.slice(2);
const sidecar = spawn(program, ["stream", "-", "--rate", "16000", ...words], { stdio: ["pipe", "pipe", "inherit"] });
sidecar.on("exit", (code) => (process.exitCode = code));
process.stdin.pipe(sidecar.stdin);
for await (const line of createInterface({ input: sidecar.stdout })) {
  const { end, decision } = JSON.parse(line);
  console.log(end, decision?.label ?? decision?.value ?? "listening");
}
