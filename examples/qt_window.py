"""A window that shows a microphone's frames as they come: a model of how to embed EdgeVoice in a desktop program.

    pip install '.[cpu,mic]' 'PySide6-Essentials<6.10' pyqtgraph
    python qt_window.py [MODEL]

What may take seconds, opening and listing microphones, and what computes, is done in threads; the window only draws. A
microphone that is unplugged is waited for, and one that is plugged in later is found by Refresh. (PySide6 6.12.0
crashes with Python 3.11 after some minutes: it loses count of the references to None.)
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import Any

import numpy as np
import pyqtgraph
from numpy.typing import NDArray
from PySide6 import QtCore, QtWidgets

import edgevoice

FRAMES = 80  # columns of the maps: 20 s
WAVE = 5.0  # seconds of the waveform


class Listener(QtCore.QThread):
    """Listens to a microphone, and tells the window what comes of it."""

    heard = QtCore.Signal(object)  # a block, int16 (samples,)
    framed = QtCore.Signal(object)  # a frame, its spectrogram and its reconstruction
    told = QtCore.Signal(str)

    def __init__(
        self, extractor: edgevoice.Extractor, device: int | None, record: str | None, before: Listener | None
    ) -> None:
        super().__init__()
        self._extractor, self._device, self._record, self._before = extractor, device, record, before
        self._window = extractor.config.audio.window
        self._past: deque[NDArray[np.int16]] = deque(maxlen=self._window // 400)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End soon; the window does not wait for it."""
        self._stopping.set()

    def run(self) -> None:
        """Run in a thread of its own: `QThread` calls it."""
        if self._before:
            self._before.wait()  # until its microphone is closed
            self._before = None
        try:
            with edgevoice.Microphone(
                self._extractor, self._device, record=self._record, reopen=True, tap=self._tap
            ) as microphone:
                self.told.emit(f"{microphone.device.name}, {microphone.rate} Hz")
                while not self._stopping.is_set() and not microphone.ended:
                    frame = microphone.read(timeout=0.1)
                    if microphone.away:
                        self.told.emit(f"waiting for the microphone: {microphone.away}")
                    if frame is not None:
                        self.framed.emit((frame, *self._images(frame, microphone.rate)))
                        recent = microphone.summary(recent=10)
                        latency = f"{1000 * recent.latency.p50:.0f} ms" if recent.latency else "-"
                        self.told.emit(f"{frame.end:.2f} s    latency {latency}    lost in 10 s: {recent.lost:.2f} s")
        except edgevoice.EdgeVoiceError as error:
            self.told.emit(str(error))

    def _tap(self, samples: NDArray[np.int16], _: float) -> None:
        self._past.append(samples[:, 0])
        self.heard.emit(samples[:, 0])

    def _images(self, frame: edgevoice.Frame, rate: int) -> tuple[Any, Any]:
        """What the network saw of the last window, and what it made of it; nothing where the device has another rate."""
        known = np.concatenate(self._past) if self._past else np.zeros(0, np.int16)
        if rate != self._extractor.config.audio.rate or len(known) < self._window:
            return None, None
        samples = (known[-self._window :] / np.float32(2**15) - np.float32(frame.offset)) * np.float32(frame.gain)
        return self._extractor.spectrogram(samples)[0], self._extractor.reconstruct(samples)[0]


class Window(QtWidgets.QWidget):
    """The window."""

    listed = QtCore.Signal(object)

    def __init__(self, extractor: edgevoice.Extractor) -> None:
        super().__init__(windowTitle=f"EdgeVoice: {extractor.config.name}")
        self._extractor = extractor
        self._listener: Listener | None = None
        self._last: Listener | None = None  # the one before, which may still be closing
        self._wave = np.zeros(round(WAVE * extractor.config.audio.rate), np.int16)
        self._seconds = np.arange(-len(self._wave), 0) / extractor.config.audio.rate
        units, bands = extractor.layout.bottleneck, extractor.layout.error
        self._typical = extractor.typical or (np.full(units + bands, 1e-3), np.ones(units + bands))
        self._maps = {"bottleneck": np.zeros((FRAMES, units)), "error": np.zeros((FRAMES, bands))}

        self.devices = QtWidgets.QComboBox(minimumWidth=260)
        self.refresh = QtWidgets.QPushButton("Refresh", clicked=self.list_devices)
        self.start = QtWidgets.QPushButton("Start", clicked=self.toggle)
        self.record = QtWidgets.QCheckBox("Record")
        self.meter = QtWidgets.QProgressBar(minimum=-60, maximum=0, value=-60, textVisible=False)
        self.status = QtWidgets.QLabel("stopped")
        bar = QtWidgets.QHBoxLayout()
        for widget in (self.devices, self.refresh, self.start, self.record, self.meter):
            bar.addWidget(widget)

        graphics = pyqtgraph.GraphicsLayoutWidget()
        self._curve = graphics.addPlot(colspan=2, title="Waveform").plot(pen="#4aa3ff")
        graphics.nextRow()
        self._images = {name: _image(graphics, name, "viridis") for name in ("spectrogram", "reconstruction")}
        graphics.nextRow()
        self._images |= {name: _image(graphics, name, "inferno") for name in self._maps}
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(bar)
        layout.addWidget(graphics, stretch=1)
        layout.addWidget(self.status)
        self.resize(1000, 760)
        self.listed.connect(self._show_devices)
        self.list_devices()

    def list_devices(self) -> None:
        """Look for microphones in a thread; one that is open is closed for that, and opened again."""
        again = self._listener is not None
        self._stop()
        last = self._last

        def look() -> None:
            if last:
                last.wait()
            try:
                found = edgevoice.input_devices(refresh=True)
            except edgevoice.EdgeVoiceError as error:
                self.listed.emit((str(error), again))
            else:
                self.listed.emit((found, again))

        threading.Thread(target=look, daemon=True).start()

    def toggle(self) -> None:
        """Start or stop listening."""
        if self._listener:
            self._stop()
            return
        path = None
        if self.record.isChecked():
            unasked = QtWidgets.QFileDialog.Option.DontConfirmOverwrite  # a recording never replaces a file
            path, _ = QtWidgets.QFileDialog.getSaveFileName(
                self, "Record to", "recording.wav", "WAV (*.wav)", options=unasked
            )
        self._listen(path or None)

    def closeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Close the microphone with the window."""
        self._stop()
        if self._last:
            self._last.wait()
        event.accept()

    def _listen(self, record: str | None = None) -> None:
        self._listener = Listener(self._extractor, self.devices.currentData(), record, self._last)
        self._listener.heard.connect(self._hear)
        self._listener.framed.connect(self._draw)
        self._listener.told.connect(self.status.setText)
        self._listener.start()
        self.start.setText("Stop")

    def _stop(self) -> None:
        if self._listener:
            self._listener.stop()
            self._last, self._listener = self._listener, None
            self.start.setText("Start")

    def _show_devices(self, news: tuple[Any, bool]) -> None:
        found, again = news
        if isinstance(found, str):
            self.status.setText(found)
            return
        chosen = self.devices.currentText()
        self.devices.clear()
        for device in found:
            self.devices.addItem(device.name, device.index)
        names = [device.name for device in found]
        default = next((k for k, device in enumerate(found) if device.default), 0)
        self.devices.setCurrentIndex(names.index(chosen) if chosen in names else default)
        if again:
            self._listen()

    def _hear(self, samples: NDArray[np.int16]) -> None:
        self._wave = np.concatenate([self._wave, samples])[-len(self._wave) :]
        self._curve.setData(self._seconds[::16], self._wave[::16] / 2**15)
        power = np.mean(np.square(samples / 2**15))
        self.meter.setValue(max(-60, round(10 * np.log10(power + 1e-12))))

    def _draw(self, news: tuple[edgevoice.Frame, Any, Any]) -> None:
        frame, spectrogram, reconstruction = news
        for name, image in (("spectrogram", spectrogram), ("reconstruction", reconstruction)):
            if image is not None:
                self._images[name].setImage(image.T, autoLevels=False, levels=(0.5, 1.0))
        units, (mean, spread) = len(frame.bottleneck), self._typical
        # Errors vary by their size: twice as much is as far up as half is down.
        parts = {
            "bottleneck": (frame.bottleneck - mean[:units]) / (4 * spread[:units]),
            "error": np.log10(frame.error / mean[units:]),
        }
        for name, part in parts.items():
            self._maps[name] = np.vstack([self._maps[name][1:], part])
            self._images[name].setImage(self._maps[name], autoLevels=False, levels=(-1, 1))


def _image(graphics: Any, title: str, colours: str) -> Any:
    """A picture with a title, in the next place of a layout."""
    plot = graphics.addPlot(title=title.capitalize())
    image = pyqtgraph.ImageItem()
    image.setColorMap(pyqtgraph.colormap.get(colours))
    plot.addItem(image)
    plot.hideAxis("bottom")
    return image


def main() -> None:
    """Open the window."""
    application = QtWidgets.QApplication(sys.argv[:1])
    window = Window(edgevoice.load(sys.argv[1] if len(sys.argv) > 1 else "cae-256"))
    window.show()
    sys.exit(application.exec())


if __name__ == "__main__":
    main()
