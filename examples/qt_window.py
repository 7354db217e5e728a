"""A window that shows what a microphone's frames are made of, live: a model of how to embed EdgeVoice in a desktop program.

    pip install '.[cpu,mic]' PySide6-Essentials pyqtgraph
    python qt_window.py [MODEL] [--head HEAD.onnx] [--hop 0.05] [--style dark|light]

All pictures share one time axis; a head of `edgevoice fit` decides in large letters. What may take seconds, or computes, is
in threads. They hand over through deques of bounded length, and the window looks into them up to 60 times a second, never
more than half of the time: a picture does not delay audio. A microphone that is unplugged is waited for, and one that is
plugged in later is found by Refresh.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import threading
import time
from collections import deque
from typing import Any

import numpy as np
import pyqtgraph
import soxr
from numpy.typing import NDArray
from PySide6 import QtCore, QtGui, QtWidgets

import edgevoice

SECONDS = 8.0  # that are shown
PARTS = 6  # components of the code
TITLES = {
    "waveform": "waveform",
    "loudness": "<span style='color:{blue}'>loudness</span> and <span style='color:{red}'>peak</span>, dB of full scale",
    "spectrogram": "spectrogram as the network takes it, dB",
    "reconstruction": "what it rebuilds, dB",
    "errors": "errors, dB above those of typical speech",
    "code": f"the {PARTS} strongest components of the code",
}
COLOURS = {
    "dark": {"back": "#15181d", "front": "#e6e8eb", "blue": "#4aa3ff", "red": "#ff6b57"},
    "light": {"back": "#ffffff", "front": "#1c1f24", "blue": "#1769c2", "red": "#d13b26"},
}

if sys.version_info < (3, 12):
    # PySide6 6.12.0 loses references to these three, and only newer versions of Python never free them. Here are plenty.
    for one in (None, True, False):
        ctypes.c_ssize_t.from_address(id(one)).value += 1 << 40


class Listener(threading.Thread):
    """Listens to a microphone until `stopping` is set, and computes what is shown. It never waits for the window.

    `before` is a listener whose microphone must be closed first.
    """

    def __init__(self, extractor: Any, options: dict[str, Any], head: Any, before: Listener | None) -> None:
        super().__init__(daemon=True)
        self._extractor, self._options, self._head, self._before = extractor, options, head, before
        self.stopping = threading.Event()
        self.heard: deque[Any] = deque(maxlen=256)  # (frame, samples, images, decision)
        self.said, self.peak, self.power, self.clipped = "opening the microphone", 0.0, 0.0, -9.0
        self.parts = np.zeros((extractor.layout.bottleneck, PARTS))  # directions of the code's components, scaled
        self._codes: deque[NDArray[np.float32]] = deque(maxlen=1200)
        self._past: deque[NDArray[np.float32]] = deque(maxlen=1 + extractor.config.audio.window // 160)

    def run(self) -> None:
        """Run in this thread."""
        try:
            if self._before:
                self._before.join()
            with edgevoice.Microphone(self._extractor, reopen=True, tap=self._tap, **self._options) as microphone:
                self._listen(microphone)
        except edgevoice.EdgeVoiceError as error:
            self.said = str(error)

    def _listen(self, microphone: edgevoice.Microphone) -> None:
        level, hop = self._options["level"], self._options["hop"]
        judge = self._head.judge(self._extractor, level=level, hop=hop) if self._head else None
        name = self.said = f"{microphone.device.name}, {microphone.rate} Hz"
        while not self.stopping.is_set() and not microphone.ended:
            frame = microphone.read(timeout=0.1)
            if microphone.away:
                self.said = f"waiting for the microphone: {microphone.away}"
            if frame is None:
                continue
            decision = judge.push(frame) if judge else None
            samples, images = self._window(microphone.rate), {}
            if frame.latency < 1:  # else the machine is busy, and pictures are what is left out
                seen = (samples - np.float32(frame.offset)) * np.float32(frame.gain)
                images["spectrogram"] = self._extractor.spectrogram(seen)[0]
                images["reconstruction"] = self._extractor.reconstruct(seen)[0]
            self.heard.append((frame, samples, images, decision))
            if not frame.silent:
                self._codes.append(frame.bottleneck)
            if frame.index % 20 == 0 and self._codes:
                self._find_parts()
            recent = microphone.summary(recent=10)
            self.said = f"{name}   |   {frame.end:.0f} s   |   latency {recent.latency}"
            self.said += f"   |   load {100 * recent.load:.0f} %   |   lost in 10 s: {recent.lost:.2f} s"

    def _tap(self, samples: NDArray[np.int16], moment: float) -> None:
        block = samples[:, 0] / np.float32(2**15)
        self.peak, self.power = float(np.abs(block).max()), float(np.square(block).mean())
        self.clipped = moment if self.peak > 0.999 else self.clipped
        self._past.append(block)

    def _window(self, rate: int) -> NDArray[np.float32]:
        """The last window, at the model's rate."""
        audio = self._extractor.config.audio
        known = np.concatenate([np.zeros(0, np.float32), *self._past])[-round(1.1 * audio.window / audio.rate * rate) :]
        if rate != audio.rate:
            known = soxr.resample(known, rate, audio.rate)
        return np.pad(known, (max(0, audio.window - len(known)), 0))[-audio.window :]

    def _find_parts(self) -> None:
        """The principal components of the codes of the last minute, with the signs that they had."""
        variances, directions = np.linalg.eigh(np.cov(np.stack([*self._codes, *self._codes]).T))
        parts = directions[:, : -PARTS - 1 : -1] / np.sqrt(np.maximum(variances[: -PARTS - 1 : -1], 1e-9))
        self.parts = parts * np.where((parts * self.parts).sum(axis=0) < 0, -1, 1)


class Strip:
    """The last seconds of something: values (rows, columns) of `step` seconds each, NaN where nothing is known."""

    def __init__(self, rows: int, step: float) -> None:
        self.step, self.end = step, 0
        self.values = np.full((rows, round((SECONDS + 2) / step)), np.nan, np.float32)

    def put(self, end: float, columns: NDArray[Any]) -> None:
        """Put columns (rows, n) where they end, in seconds of the source."""
        last, count = int(end / self.step + 0.501), self.values.shape[1]
        moved = min(max(0, last - self.end), count)
        self.values = np.concatenate([self.values[:, moved:], np.full((len(columns), moved), np.nan, np.float32)], axis=1)
        self.end = max(self.end, last)
        first = count - (self.end - last) - columns.shape[1]
        self.values[:, max(0, first) : first + columns.shape[1]] = columns[:, max(0, -first) :]


class Window(QtWidgets.QWidget):
    """The window: a head decides, if there is one, and brings its own hop; `style` is one of COLOURS."""

    def __init__(self, extractor: edgevoice.Extractor, head: edgevoice.Head | None, hop: float, style: str) -> None:
        super().__init__(windowTitle=f"EdgeVoice: {extractor.config.name}")
        self._extractor, self._head, self._hop = extractor, head, head.recipe.hop if head else hop
        self._listener: Listener | None = None
        self._last: Listener | None = None  # the one before, which may still be closing
        self._found: tuple[Any, bool] | None = None  # microphones, and whether to listen again
        self._clock = (0.0, 0.0)  # seconds of the source, and the moment when they were captured
        audio, bands, units = extractor.config.audio, extractor.layout.error, extractor.layout.bottleneck
        self._typical = extractor.typical.mean[units:] if extractor.typical else np.full(bands, 1e-3, np.float32)
        self._window = audio.window / audio.rate
        self._column = self._window / extractor.config.columns
        self._sizes = {"waveform": (2, 0.005), "loudness": (2, self._hop)}
        self._sizes |= {"spectrogram": (bands, self._column), "reconstruction": (bands, self._column)}
        self._sizes |= {"errors": (bands, self._hop), "code": (units, self._hop)}
        self._clear()

        self.devices = QtWidgets.QComboBox(minimumWidth=240)
        self.refresh = QtWidgets.QPushButton("Refresh", clicked=self.list_devices)
        self.start = QtWidgets.QPushButton("Start", clicked=self.toggle)
        self.record = QtWidgets.QCheckBox("Record")
        self.meter = QtWidgets.QProgressBar(minimum=-60, maximum=0, value=-60)
        self.status = QtWidgets.QLabel("stopped")
        bar, middle, layout = QtWidgets.QHBoxLayout(), QtWidgets.QHBoxLayout(), QtWidgets.QVBoxLayout(self)
        for widget in (self.devices, self.refresh, self.start, self.record, self.meter):
            bar.addWidget(widget, stretch=int(widget is self.meter))
        self._graphics = pyqtgraph.GraphicsLayoutWidget()
        middle.addWidget(self._graphics, stretch=1)
        layout.addLayout(bar)
        layout.addLayout(middle, stretch=1)
        layout.addWidget(self.status)
        self._add_panels(COLOURS[style])
        self._chances: dict[str, QtWidgets.QProgressBar] = {}
        if head:
            middle.addLayout(self._decision(head.labels))
        self.resize(1280, 800)
        self.list_devices()
        self._timer = QtCore.QTimer(self, interval=16, timeout=self.tick)
        self._timer.start()

    def _add_panels(self, colours: dict[str, str]) -> None:
        self._plots, self._items, self._bars = {}, {}, []
        signed = pyqtgraph.ColorMap([0, 0.5, 1], [QtGui.QColor(colours[name]) for name in ("blue", "back", "red")])
        ends = tuple(self._decibels(np.array([0.5, 0.98])))
        limits = {"spectrogram": ends, "reconstruction": ends, "errors": (-10, 10), "code": (-2.5, 2.5)}
        for k, (name, title) in enumerate(TITLES.items()):
            plot = self._plots[name] = self._graphics.addPlot(k // 2, 2 * (k % 2))
            plot.setTitle(title.format(**colours), size="10pt", justify="left")
            plot.hideButtons()
            plot.setMouseEnabled(x=False, y=False)
            plot.getAxis("left").setWidth(54)
            plot.setLabel("bottom", "seconds") if k > 3 else plot.getAxis("bottom").setStyle(showValues=False)
            if name not in limits:
                self._items[name] = [plot.plot(pen=colours[colour]) for colour in ("blue", "red")]
                plot.setYRange(*((-1, 1) if name == "waveform" else (-70, 0)), padding=0)
                continue
            image = self._items[name] = pyqtgraph.ImageItem(axisOrder="row-major")
            plot.addItem(image)
            plot.setYRange(0, PARTS if name == "code" else self._sizes[name][0], padding=0)
            marks = [(part + 0.5, f"{part + 1}") for part in range(PARTS)] if name == "code" else self._hertz()
            plot.getAxis("left").setTicks([marks])
            shades = signed if name in ("errors", "code") else pyqtgraph.colormap.get("magma")
            self._bars.append(pyqtgraph.ColorBarItem(limits[name], width=10, colorMap=shades, interactive=False))
            self._bars[-1].setImageItem(image)
            self._graphics.addItem(self._bars[-1], k // 2, 2 * (k % 2) + 1)
        for row, share in enumerate((2, 4, 3)):
            self._graphics.ci.layout.setRowStretchFactor(row, share)

    def _decision(self, labels: tuple[str, ...]) -> QtWidgets.QVBoxLayout:
        self.label = QtWidgets.QLabel("…", alignment=QtCore.Qt.AlignmentFlag.AlignCenter, styleSheet="font: 600 50px")
        self.label.setFixedWidth(250)
        column = QtWidgets.QVBoxLayout()
        column.addStretch(1)
        column.addWidget(self.label)
        for label in labels[:8]:
            self._chances[label] = QtWidgets.QProgressBar(maximum=1000, value=0, format=f"{label}  %p %")
            column.addWidget(self._chances[label])
        column.addStretch(1)
        return column

    def _decibels(self, spectrogram: NDArray[Any]) -> NDArray[Any]:
        config = self._extractor.config.spectrogram
        factor = (10 if config.spectrum == "power" else 20) / np.log(10)
        return factor * (spectrogram * config.divisor - config.offset) if config.logarithm else spectrogram

    def _hertz(self) -> list[tuple[float, str]]:
        """Where frequencies are among the bands, for the axis."""
        bands = self._extractor.config.spectrogram.bands

        def mel(hertz: float) -> float:
            linear = bands.scale == "bins" or hertz < 1000
            return hertz / 66.67 if linear else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)  # Slaney's

        low, high = mel(bands.low), mel(bands.high)
        marks = [(bands.count * (mel(hertz) - low) / (high - low), hertz) for hertz in (500, 1000, 2000, 4000, 8000)]
        return [(place, f"{hertz / 1000:g} kHz") for place, hertz in marks if 0 < place <= bands.count]

    def tick(self) -> None:
        """Show what has come since the last call; the next one is at least as far off as this one took."""
        began = time.monotonic()
        if self._found:
            self._show_devices(*self._found)
            self._found = None
        if self._listener:
            self.draw(self._listener)
            self._graphics.viewport().repaint()
        took = round(1000 * (time.monotonic() - began))
        self._timer.setInterval(max(16 - took, took))

    def draw(self, listener: Listener) -> None:
        """Show what a listener has heard, and let the time go on."""
        self.status.setText(listener.said)
        loudness, peak = 10 * np.log10(listener.power + 1e-8), 20 * np.log10(listener.peak + 1e-4)
        clip = "   CLIP" * (time.monotonic() - listener.clipped < 2)
        self.meter.setValue(max(-60, round(loudness)))
        self.meter.setFormat(f"{loudness:.0f} dB, peak {peak:.0f} dB{clip}")
        fresh = len(listener.heard)
        for _ in range(fresh):
            self._add(*listener.heard.popleft())
        for name in self._strips if fresh else ():
            self._show(name, self._strips[name], listener.parts)
        seconds, moment = self._clock
        now = seconds + min(time.monotonic() - moment, 1) - self._hop - 0.1  # so that the right end is filled
        for plot in self._plots.values():
            plot.setXRange(max(0, now - SECONDS), max(SECONDS, now), padding=0)

    def _add(self, frame: Any, samples: NDArray[np.float32], images: dict[str, NDArray[Any]], decision: Any) -> None:
        strips, rate = self._strips, self._extractor.config.audio.rate
        self._clock = frame.end, frame.captured
        size = round(0.005 * rate)
        short = samples[len(samples) % size :].reshape(-1, size)
        strips["waveform"].put(frame.end, np.stack([short.min(axis=1), short.max(axis=1)]))
        new = samples[-round(self._hop * rate) :]
        levels = np.array([[np.sqrt(np.square(new).mean())], [np.abs(new).max()]])
        strips["loudness"].put(frame.end, 20 * np.log10(levels + 1e-4))
        edge = 4  # columns that the window's end cuts
        for name, image in images.items():
            last = frame.end - edge * self._column
            kept = min(image.shape[1] - edge, max(2, round(last / self._column) - strips[name].end + 2))
            strips[name].put(last, self._decibels(image[:, -edge - kept : -edge]))
        middle = frame.end - (self._window - self._hop) / 2  # where `edgevoice plot` draws a frame too
        strips["errors"].put(middle, 10 * np.log10(frame.error / self._typical + 1e-9)[:, None])
        strips["code"].put(middle, frame.bottleneck[:, None])
        if self._head:
            self.label.setText((decision.label or f"{decision.value:.3g}") if decision else "…")
            for label, bar in self._chances.items():
                bar.setValue(round(1000 * decision.probabilities[label]) if decision else 0)

    def _show(self, name: str, strip: Strip, parts: NDArray[Any]) -> None:
        values, item, count = strip.values, self._items[name], strip.values.shape[1]
        times = (strip.end - count + np.arange(count)) * strip.step
        if name == "waveform":
            item[0].setData(np.repeat(times, 2), values.T.ravel(), connect="finite")
        elif name == "loudness":
            for curve, row in zip(item, values, strict=True):
                curve.setData(times, row, connect="finite")
        else:
            if name == "code":
                values = parts.T @ (values - np.nanmean(values, axis=1, keepdims=True))
            item.setImage(values, autoLevels=False)
            item.setRect(times[0], 0, count * strip.step, len(values))

    def list_devices(self) -> None:
        """Look for microphones in a thread; one that is open is closed for that, and opened again."""
        again = self._listener is not None
        self._stop()
        last = self._last

        def look() -> None:
            if last:
                last.join()
            try:
                self._found = edgevoice.input_devices(refresh=True), again
            except edgevoice.EdgeVoiceError as error:
                self._found = str(error), again

        threading.Thread(target=look, daemon=True).start()

    def toggle(self) -> None:
        """Start or stop listening."""
        if self._listener:
            self._stop()
            return
        path = ""
        if self.record.isChecked():
            unasked = QtWidgets.QFileDialog.Option.DontConfirmOverwrite  # a recording never replaces a file
            path, _ = QtWidgets.QFileDialog.getSaveFileName(self, "Record to", "recording.wav", "WAV (*.wav)", "", unasked)
        self._listen(path or None)

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Close the microphone with the window."""
        self._timer.stop()
        self._stop()
        if self._last:
            self._last.join()
        event.accept()

    def _listen(self, record: str | None = None) -> None:
        level = self._head.recipe.level if self._head else None
        options = {"device": self.devices.currentData(), "record": record, "level": level, "hop": self._hop}
        self._clear()
        self._listener = Listener(self._extractor, options, self._head, self._last)
        self._listener.start()
        self.start.setText("Stop")

    def _clear(self) -> None:
        self._strips = {name: Strip(*size) for name, size in self._sizes.items()}

    def _stop(self) -> None:
        if self._listener:
            self._listener.stopping.set()
            self._last, self._listener = self._listener, None
            self.start.setText("Start")

    def _show_devices(self, found: Any, again: bool) -> None:
        if isinstance(found, str):
            self.status.setText(found)
            return
        chosen = self.devices.currentText() or next((device.name for device in found if device.default), "")
        self.devices.clear()
        for device in found:
            self.devices.addItem(device.name, device.index)
        self.devices.setCurrentText(chosen)
        if again:
            self._listen()


def dress(application: QtWidgets.QApplication, style: str) -> None:
    """Give a program the colours of a style, before its windows are made."""
    back, front = COLOURS[style]["back"], COLOURS[style]["front"]
    pyqtgraph.setConfigOptions(background=back, foreground=front, antialias=True)
    application.setStyle("fusion")
    application.styleHints().setColorScheme(getattr(QtCore.Qt.ColorScheme, style.capitalize()))
    application.setStyleSheet(f"QWidget {{ background: {back}; color: {front} }}")


def main() -> None:
    """Open the window."""
    parser = argparse.ArgumentParser(description="Frames of a microphone, live.")
    parser.add_argument("model", nargs="?", default="cae-256")
    parser.add_argument("--head", help="a head of `edgevoice fit`, which decides")
    parser.add_argument("--hop", type=float, default=0.05, help="seconds from a frame to the next; a head brings its own")
    parser.add_argument("--style", choices=COLOURS, default="dark")
    asked = parser.parse_args()
    application = QtWidgets.QApplication(sys.argv[:1])
    dress(application, asked.style)
    try:
        head = edgevoice.load_head(asked.head) if asked.head else None
        window = Window(edgevoice.load(asked.model), head, asked.hop, asked.style)
    except edgevoice.EdgeVoiceError as error:
        sys.exit(str(error))
    window.show()
    sys.exit(application.exec())


if __name__ == "__main__":
    main()
