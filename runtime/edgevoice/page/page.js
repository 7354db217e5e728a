// Sends the microphone to the server that this page comes from, and draws what comes back.
const RATE = 16000;
const BLOCK = 320; // samples, 20 ms
const LATE = 5; // seconds that may wait to be sent; what comes then is reported as lost
const SPAN = 8; // seconds that the pictures show
const $ = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
let stop = null;

$("token").value = decodeURIComponent(location.hash.slice(1));
$("form").onsubmit = (event) => {
  event.preventDefault();
  if (stop) stop("Stopped.");
  else start().catch((error) => stop?.(reasonOf(error)));
};

async function start() {
  const ends = [];
  stop = (reason) => {
    stop = null;
    for (const end of ends) end();
    $("start").textContent = "Start";
    $("state").textContent = reason;
    $("meter").value = -60;
  };
  const running = stop;
  $("start").textContent = "Stop";
  $("state").textContent = "Asking for the microphone.";
  if (!navigator.mediaDevices) throw new Error("Browsers give a microphone to pages of https only, and to localhost.");
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const media = await navigator.mediaDevices.getUserMedia({ audio });
  ends.push(() => media.getTracks().forEach((track) => track.stop()));
  const context = new AudioContext();
  ends.push(() => context.close());
  await context.audioWorklet.addModule("worklet.js");
  if (stop !== running) return ends.forEach((end) => end());

  const processorOptions = { rate: RATE, block: BLOCK };
  const node = new AudioWorkletNode(context, "edgevoice-capture", { numberOfOutputs: 0, processorOptions });
  const analyser = new AnalyserNode(context, { fftSize: 1024, smoothingTimeConstant: 0, minDecibels: -100, maxDecibels: -20 });
  const source = context.createMediaStreamSource(media);
  source.connect(analyser);
  media.getTracks()[0].onended = () => running("The microphone was unplugged.");

  const socket = new WebSocket(new URL("stream", location.href.replace(/^http/, "ws").replace(/#.*/, "")));
  socket.binaryType = "arraybuffer";
  ends.push(() => socket.close());
  socket.onopen = () => {
    const hello = { type: "hello", protocol: 1, token: $("token").value, rate: RATE, format: "binary" };
    socket.send(JSON.stringify(hello));
  };
  let draw = null;
  let lost = 0;
  node.port.onmessage = ({ data: samples }) => {
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    $("meter").value = 10 * Math.log10(power + 1e-12);
    if (!draw || socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > 2 * RATE * LATE) return void (lost += samples.length);
    if (lost) socket.send(JSON.stringify({ type: "lost", count: lost }));
    lost = 0;
    socket.send(Int16Array.from(samples, (x) => Math.max(-32768, Math.min(32767, Math.round(32768 * x)))));
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return draw(data);
    const message = JSON.parse(data);
    if (message.type === "ready") {
      draw = drawingOf(message);
      source.connect(node);
      listen(analyser, () => stop === running);
      $("state").textContent = `Listening, ${message.model}.`;
    } else if (message.type === "error") running(`The server says: ${message.message}.`);
  };
  socket.onclose = ({ code, reason }) => {
    const words = { 1001: "is stopping", 1006: "cannot be reached, or went away", 1012: "is being restarted" };
    if (stop === running) running(`The server ${words[code] ?? `closed: ${reason || code}`}.`);
  };
}

/** What went wrong with the microphone, in words. */
function reasonOf(error) {
  const words = { NotAllowedError: "The microphone was refused: allow it in the browser.", NotFoundError: "There is no microphone." };
  return words[error.name] ?? (error.name === "NotReadableError" ? "Another program has the microphone." : error.message);
}

/** Draws the spectrum of the sound, a column each 20 ms, while `on` is true. */
function listen(analyser, on) {
  const levels = new Uint8Array(analyser.frequencyBinCount);
  const top = Math.min(8000, analyser.context.sampleRate / 2);
  const bins = Math.floor((levels.length * 2 * top) / analyser.context.sampleRate);
  $("top").textContent = top;
  const column = pictureOf($("spectrogram"), SPAN / 0.02);
  const timer = setInterval(() => {
    if (!on()) return clearInterval(timer);
    analyser.getByteFrequencyData(levels);
    column(128, (row) => grey(levels[Math.floor((row / 128) * bins)] / 255));
  }, 20);
}

/** A function that draws a frame and shows its numbers. */
function drawingOf({ descriptors, hop }) {
  const bottleneck = pictureOf($("bottleneck"), SPAN / hop);
  const error = pictureOf($("error"), SPAN / hop);
  const units = descriptors.bottleneck ?? 0;
  const mean = new Float64Array(units);
  const spread = new Float64Array(units).fill(1);
  return (data) => {
    const line = new Uint8Array(data).indexOf(10);
    const frame = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 0, line)));
    const values = new Float32Array(data, line + 1);
    const rate = Math.max(0.02, 1 / (frame.index + 1)); // of the running mean and spread
    for (let k = 0; k < units; k++) {
      const distance = values[k] - mean[k];
      mean[k] += rate * distance;
      spread[k] += rate * (distance * distance - spread[k]);
    }
    bottleneck(units, (k) => signed((values[k] - mean[k]) / (2.5 * Math.sqrt(spread[k]) + 1e-9)));
    error(values.length - units, (k) => grey(Math.min(1, Math.log10(1 + 1e5 * values[units + k]) / 4)));
    const place = `${frame.end.toFixed(2)} s, ${frame.loudness?.toFixed(0) ?? "-"} dB`;
    const words = `${frame.silent ? ", silent" : ""}${frame.gap ? ", sound was lost" : ""}`;
    $("state").textContent = `${frame.index + 1} frames, ${place}, latency ${frame.latency === null ? "-" : Math.round(1000 * frame.latency)} ms${words}`;
    if ("decision" in frame) decide(frame.decision);
  };
}

function decide(decision) {
  const share = decision?.label && ` (${Math.round(100 * decision.probabilities[decision.label])} %)`;
  $("decision").hidden = false;
  $("decision").textContent = decision ? `${decision.label ?? decision.value.toPrecision(3)}${share ?? ""}` : "Not enough speech yet";
}

/** Scrolls a canvas by a column, one of so many, and fills it with a colour for each row, the first one below. */
function pictureOf(canvas, columns) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const width = Math.max(1, Math.round(canvas.width / columns));
  return (rows, colour) => {
    if (rows > 0 && canvas.height !== rows) canvas.height = rows;
    context.drawImage(canvas, -width, 0);
    for (let row = 0; row < rows; row++) {
      context.fillStyle = colour(row);
      context.fillRect(canvas.width - width, rows - 1 - row, width, 1);
    }
  };
}

/** From the page's background to its foreground. */
const grey = (x) => `hsl(215 40% ${dark.matches ? 5 + 85 * x : 97 - 85 * x}%)`;

/** Blue below 0, red above. */
function signed(x) {
  const strength = Math.min(1, Math.abs(x));
  return `hsl(${x < 0 ? 215 : 12} 80% ${dark.matches ? 8 + 55 * strength : 96 - 50 * strength}%)`;
}
