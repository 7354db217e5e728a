// Send 16-bit mono samples to a server, and print its frames, in Node 22 and newer; in a browser likewise:
//   node client.mjs wss://example.org/stream 16000 speech.raw [TOKEN]
import { readFile } from "node:fs/promises";

const [address, rate, path, token] = process.argv.slice(2);
const sound = await readFile(path);
const socket = new WebSocket(address);
socket.binaryType = "arraybuffer";

/** Sends all of it, no faster than the network takes it. */
async function send() {
  for (let at = 0; at < sound.length; at += 3200) {
    while (socket.bufferedAmount > 1e6) await new Promise((resolve) => setTimeout(resolve, 50));
    socket.send(sound.subarray(at, at + 3200));
  }
  socket.send(JSON.stringify({ type: "finish" }));
}

socket.onopen = () => {
  socket.send(JSON.stringify({ type: "hello", token, rate: Number(rate), format: "binary" }));
  send();
};
socket.onmessage = ({ data }) => {
  if (typeof data === "string") return console.log(data); // ready, end, error
  const bytes = new Uint8Array(data);
  const line = bytes.indexOf(10); // the JSON ends with a newline, the numbers follow
  const frame = JSON.parse(new TextDecoder().decode(bytes.subarray(0, line)));
  console.log(JSON.stringify({ ...frame, values: [...new Float32Array(data, line + 1)] }));
};
socket.onclose = ({ code, reason }) => (code === 1000 ? 0 : console.error(code, reason));
