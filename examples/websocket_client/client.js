// Sends the microphone to the server that served this page, and draws the frames that come back.

const RATE = 16000;
const BLOCK = 320; // 20 ms
const state = document.getElementById("state");
const canvas = document.getElementById("errors");
const pencil = canvas.getContext("2d");

/** One column for each frame, low bands at the bottom; the canvas moves to the left. */
function draw(errors) {
  pencil.drawImage(canvas, -1, 0);
  errors.forEach((error, band) => {
    const value = Math.min(255, 64 * Math.log10(1 + 1e5 * error));
    pencil.fillStyle = `rgb(${value}, ${value * 0.7}, 60)`;
    pencil.fillRect(canvas.width - 1, canvas.height - 1 - band, 1, 1);
  });
}

async function start() {
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const media = await navigator.mediaDevices.getUserMedia({ audio });
  const context = new AudioContext();
  await context.audioWorklet.addModule("worklet.js");
  const processorOptions = { rate: RATE, block: BLOCK };
  const node = new AudioWorkletNode(context, "edgevoice-capture", { numberOfOutputs: 0, processorOptions });

  const token = location.hash.slice(1);
  const socket = new WebSocket(`ws://${location.host}/audio?token=${encodeURIComponent(token)}&rate=${RATE}`);
  let frames = 0;
  socket.onopen = () => {
    context.createMediaStreamSource(media).connect(node);
    state.textContent = "listening";
  };
  node.port.onmessage = ({ data: samples }) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const pcm = Int16Array.from(samples, (x) => Math.max(-32768, Math.min(32767, Math.round(32768 * x))));
    socket.send(pcm.buffer);
  };
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    frames += 1;
    state.textContent = `${frames} frames, ${frame.end.toFixed(2)} s, ${frame.loudness.toFixed(0)} dB`;
    draw(frame.error);
  };
  socket.onclose = ({ reason }) => {
    for (const track of media.getTracks()) track.stop();
    context.close();
    state.textContent = reason ? `closed: ${reason}` : "closed: the server has gone, or the token is wrong";
  };
}

document.getElementById("start").onclick = () => {
  start().catch((error) => (state.textContent = String(error)));
};
