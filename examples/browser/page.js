// A live picture of a microphone's frames. Served by serve.py beside the graphs that it makes.
import { Head, microphone, Stream } from "edgevoice";

const $ = (id) => document.getElementById(id);
const { models, head: decides } = await (await fetch("graphs.json")).json();
$("model").append(...models.map((name) => new Option(name)));

let running = null;
$("start").onclick = () => (running ? running.abort() : listen());
$("model").onchange = () => running?.abort();

async function listen() {
  running = new AbortController();
  $("start").textContent = "Stop";
  $("told").textContent = "loading";
  try {
    const stream = await Stream.load(`graphs/${$("model").value}.onnx`);
    const head = decides ? await Head.load("head.onnx") : null;
    const judge = head && judgeOf(head, stream);
    const pictures = picturesOf(stream.metadata);
    const delays = [];
    let lost = 0;
    const onblock = (samples, gone) => {
      lost += gone;
      const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
      $("meter").value = Math.max(-60, 10 * Math.log10(power + 1e-12));
    };
    const device = $("device").value || undefined;
    for await (const frame of microphone(stream, { signal: running.signal, device, onblock })) {
      for (const draw of pictures) draw(frame);
      if (judge) $("decision").textContent = wordsOf(await judge.push(frame));
      delays.push(frame.latency);
      if (delays.length > 40) delays.shift();
      const worst = (1000 * Math.max(...delays)).toFixed(0);
      const gaps = lost ? `, ${(lost / stream.rate).toFixed(2)} s lost` : "";
      $("told").textContent = `${frame.end.toFixed(2)} s, latency ${(1000 * frame.latency).toFixed(0)} ms, at most ${worst} ms${gaps}`;
      if ($("device").options.length === 1) await listDevices();
    }
    await head?.release();
    await stream.release();
    $("told").textContent = "stopped";
  } catch (error) {
    $("told").textContent = error.message;
  }
  running = null;
  $("start").textContent = "Start";
}

/** What judges the frames of a stream; nothing, and the reason on the page, where the head was fitted with another model. */
function judgeOf(head, stream) {
  try {
    return head.judge(stream);
  } catch (error) {
    $("decision").textContent = error.message;
    return null;
  }
}

/** A decision as a person reads it: labels, the most probable one first, or a number. */
function wordsOf(decision) {
  if (!decision) return "listening";
  if (decision.value !== null) return decision.value.toFixed(2);
  const sorted = Object.entries(decision.probabilities).sort(([, one], [, other]) => other - one);
  return sorted.map(([label, probability]) => `${label} ${Math.round(100 * probability)} %`).join(", ");
}

/** Browsers tell the names of microphones only once one of them may be used. */
async function listDevices() {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "audioinput");
  $("device").append(...devices.map((device) => new Option(device.label, device.deviceId)));
}

function picturesOf({ names, typical }) {
  const units = names.filter((name) => name.startsWith("bottleneck")).length;
  const { mean, spread } = typical;
  const code = (frame) => Array.from(frame.bottleneck, (x, k) => 0.5 + (x - mean[k]) / spread[k] / 8);
  // Errors vary by their size: twice as much is as far up as half is down.
  const error = (frame) => Array.from(frame.error, (x, k) => 0.4 + Math.log10(x / mean[units + k]) / 3).reverse();
  return [picture($("bottleneck"), units, code), picture($("error"), names.length - units, error)];
}

/** Scrolls a canvas to the left by one frame, and paints the newest one at its right edge. */
function picture(canvas, rows, column) {
  const context = canvas.getContext("2d");
  const width = 8;
  canvas.height = rows;
  return (frame) => {
    context.drawImage(canvas, -width, 0);
    column(frame).forEach((value, row) => {
      context.fillStyle = colour(Math.min(1, Math.max(0, value)));
      context.fillRect(canvas.width - width, row, width, 1);
    });
  };
}

/** From blue-black over violet and orange to pale yellow, as bright as the value is large. */
function colour(value) {
  const stops = [[8, 10, 30], [84, 20, 110], [200, 60, 80], [250, 150, 40], [252, 250, 190]];
  const place = value * (stops.length - 1);
  const first = Math.min(Math.floor(place), stops.length - 2);
  const mixed = stops[first].map((from, k) => from + (stops[first + 1][k] - from) * (place - first));
  return `rgb(${mixed.map(Math.round).join(",")})`;
}
