"""The windows of `WindowSampler`, drawn and computed in PyTorch: the whole corpus is held on the device as int16 samples.

NumPy makes 2 000 spectrograms a second on one core; a GPU that trains on them then waits. Here draws, levels, changes and
spectrograms are tensor operations of fixed shapes, so that a step of training can be one CUDA graph. All that is random
comes from PyTorch's generator of the device: `torch.manual_seed` decides it. For the same draws, standardised
spectrograms differ from NumPy's by rounding, less than 1e-4 in the quietest bands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgevoice.config import SILENCE
from edgevoice.frontend import hann, mel_filters
from edgevoice.levels import Running, Steps, Utterance, Window
from edgevoice_export.data.changes import mp3_coded
from edgevoice_export.data.devicechanges import DEVICE_CHANGES, DeviceChange
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.data.sampler import SCALE, Recording

MP3 = "mp3"


@dataclass
class DeviceDraw:
    """A batch of windows: where they begin, at which level, and how some of them are changed."""

    recordings: Tensor
    """int64 (n,)"""
    starts: Tensor
    """First sample of each window within its recording: int64 (n,)."""
    levels: Tensor
    """The index of each window's level in the list of the sampler: int64 (n,)."""
    gains: Tensor
    """A factor for the gain of the level: float32 (n,)."""
    changes: Sequence[tuple[slice | Tensor, DeviceChange]] = ()
    """The changes, and the rows that they apply to."""
    coded: slice | None = None
    """Rows that are taken from the copies that were encoded as MP3."""


@dataclass(frozen=True)
class Plan:
    """Which rows of every batch are changed, and which rows are pairs of windows from one recording.

    The numbers are those of `WindowSampler.draw` on average; they are fixed, because the shapes of a CUDA graph are fixed.
    """

    batch: int
    kinds: tuple[tuple[str, slice], ...] = ()
    """The changes, and the rows that they apply to."""
    partners: int = 0
    """The last 2 partners rows are pairs of windows from one recording: row batch - 2 partners + k, and that + partners."""

    @classmethod
    def of(cls, batch: int, share: float, changes: Sequence[str], partners: bool = False) -> Plan:
        """Plan a batch.

        Args:
            batch: windows.
            share: that is changed.
            changes: what those go through; what is listed twice comes twice as often.
            partners: whether windows come in pairs of one recording.
        """
        each = round(share * batch / len(changes)) if changes else 0
        if each * len(changes) > batch:
            raise ValueError(f"{each * len(changes)} changed windows do not fit into a batch of {batch}")
        kinds = tuple((kind, slice(each * k, each * (k + 1))) for k, kind in enumerate(changes) if each)
        return cls(batch, kinds, batch // 2 if partners else 0)

    @property
    def pairs(self) -> NDArray[np.int64]:
        """Rows of pairs of windows from one recording, (partners, 2)."""
        first = np.arange(self.batch - 2 * self.partners, self.batch - self.partners)
        return np.stack([first, first + self.partners], axis=1)


class DeviceSampler:
    """The windows of some recordings, on a device; one that is shorter than a window has zeros after it.

    Args:
        recordings: int16 samples at the model's rate.
        preprocessing: the preprocessing of the model.
        levels: the levels that windows are drawn at.
        device: the device that stores and computes everything.
        coded: whether windows that went through MP3 are wanted: each recording is then kept twice.
        seed: decides how strongly each recording is coded.
    """

    def __init__(
        self,
        recordings: Sequence[NDArray[np.int16]],
        preprocessing: Preprocessing,
        levels: Sequence[str],
        device: str | torch.device,
        *,
        coded: bool = False,
        seed: int = 0,
    ) -> None:
        self.device, self._audio = torch.device(device), preprocessing.audio
        held = [Recording(samples, self._audio.window) for samples in recordings]
        lengths = np.array([len(recording) for recording in held])
        self._spans = self._tensor(lengths - self._audio.window + 1)
        self._ends = torch.cumsum(self._spans, 0)
        self._places = int(self._ends[-1])
        self._first = self._tensor(np.cumsum(lengths) - lengths)
        self._pool = self._tensor(_joined(recordings, lengths))
        self._coded: Tensor | None = None
        if coded:
            random = np.random.default_rng([seed, 5])
            rate = self._audio.rate
            copies = [(mp3_coded(recording[:], rate, random) * SCALE).round().clip(-32768, 32767) for recording in held]
            self._coded = self._tensor(_joined([copy.astype(np.int16) for copy in copies], lengths))
        self._levels = [DEVICE_LEVELS[name](held, preprocessing, self.device) for name in levels]
        self._front_end = DeviceFrontEnd(preprocessing, self.device)
        self._within = torch.arange(self._audio.window, device=self.device)

    def draw(self, plan: Plan, jitter_db: float) -> DeviceDraw:
        """Draw positions, with equal probability; a level and a gain for each, and the changes of the plan."""
        count, device = plan.batch, self.device
        places = (torch.rand(count, device=device, dtype=torch.float64) * self._places).long()
        recordings = torch.searchsorted(self._ends, places, right=True)
        starts = places - (self._ends - self._spans)[recordings]
        levels = torch.randint(len(self._levels), (count,), device=device)
        gains = 10 ** ((torch.rand(count, device=device) * 2 - 1) * (jitter_db / 20))
        if plan.partners:
            first, second = slice(count - 2 * plan.partners, count - plan.partners), slice(count - plan.partners, count)
            recordings[second] = recordings[first].clone()
            spans = self._spans[recordings[second]]
            starts[second] = (torch.rand(plan.partners, device=device, dtype=torch.float64) * spans).long()
        coded = next((rows for kind, rows in plan.kinds if kind == MP3), None)
        changes = [
            (rows, DEVICE_CHANGES[kind].draw(rows.stop - rows.start, self._audio.window, device))
            for kind, rows in plan.kinds
            if kind != MP3
        ]
        return DeviceDraw(recordings, starts, levels, gains, changes, coded)

    @torch.no_grad()
    def spectrograms(self, draw: DeviceDraw) -> Tensor:
        """Compute standardised spectrograms of the drawn windows, float32 (n, 1, bands, columns)."""
        places = (self._first[draw.recordings] + draw.starts)[:, None] + self._within
        windows = self._pool[places].float() / SCALE
        found = [level.of(draw.recordings, draw.starts, windows) for level in self._levels]
        offset, peak = (torch.stack(values) for values in zip(*found, strict=True))
        rows = torch.arange(len(windows), device=self.device)
        offset, peak = offset[draw.levels, rows], peak[draw.levels, rows]
        if draw.coded is not None and self._coded is not None:
            windows[draw.coded] = self._coded[places[draw.coded]].float() / SCALE
        windows = windows - offset[:, None]
        for chosen, change in draw.changes:
            windows[chosen] = change.apply(windows[chosen], self._audio.rate, peak[chosen])
        return self._front_end(windows * (draw.gains / peak)[:, None])

    def _tensor(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self.device)


class DeviceLevel(ABC):
    """One level for all recordings of a sampler."""

    def __init__(self, recordings: Sequence[Recording], preprocessing: Preprocessing, device: torch.device) -> None:
        self._config, self._window, self._device = preprocessing.level, preprocessing.audio.window, device
        self._measure(recordings)

    def _measure(self, recordings: Sequence[Recording]) -> None:  # noqa: B027 - some levels need nothing
        """Measure the recordings."""

    @abstractmethod
    def of(self, recordings: Tensor, starts: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Offset and peak (1 / gain) of windows: float32 (n,) each."""

    def _tensor(self, rows: Any) -> Tensor:
        return torch.from_numpy(np.array(rows, np.float32)).to(self._device)


class _RunningOnDevice(DeviceLevel):
    """`levels.Running`: the state after each complete step, with the peak raised by the samples after the last step."""

    def _measure(self, recordings: Sequence[Recording]) -> None:
        step, states = self._config.step, []
        for recording in recordings:
            steps = len(recording) // step
            measured = Steps.measure(recording[: steps * step], step)
            offset, gain = Running(self._config).follow(measured, np.zeros(steps, np.bool_))
            states.append(np.stack([offset, 1 / gain], axis=1))
        counts = torch.tensor([len(rows) for rows in states], device=self._device)
        self._first = torch.cumsum(counts, 0) - counts
        self._states = self._tensor(np.concatenate(states))

    def of(self, recordings: Tensor, starts: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
        step = self._config.step
        ends = starts + self._window
        states = self._states[self._first[recordings] + ends // step - 1]
        offset, peak = states[:, 0], states[:, 1]
        after = torch.arange(step, device=self._device) >= step - (ends % step)[:, None]
        rest = (windows[:, -step:] - offset[:, None]).abs() * after
        return offset, torch.maximum(peak, rest.amax(1))


class _UtteranceOnDevice(DeviceLevel):
    """`levels.Utterance`: one offset and gain per recording."""

    def _measure(self, recordings: Sequence[Recording]) -> None:
        tracks = [Utterance(self._config).track(recording) for recording in recordings]  # type: ignore[arg-type]
        self._states = self._tensor([(offset, 1 / gain) for offset, gain in (track(0, 0) for track in tracks)])

    def of(self, recordings: Tensor, starts: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        states = self._states[recordings]
        return states[:, 0], states[:, 1]


class _WindowOnDevice(DeviceLevel):
    """`levels.Window`: mean and peak of each window."""

    def of(self, recordings: Tensor, starts: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        offset = windows.mean(1)
        peak = (windows - offset[:, None]).abs().amax(1)
        constant = self._config.peak_constant
        return offset, peak + constant if constant else peak.clamp(min=SILENCE)


DEVICE_LEVELS: dict[str, type[DeviceLevel]] = {
    Running.name: _RunningOnDevice,
    Utterance.name: _UtteranceOnDevice,
    Window.name: _WindowOnDevice,
}


class DeviceFrontEnd:
    """`edgevoice.frontend.FrontEnd` in PyTorch: (n, window) at their level -> (n, 1, bands, columns).

    As there, all is float64 up to the power of the FFT: float32 would leave rounding errors in bands that
    a change has emptied.
    """

    def __init__(self, preprocessing: Preprocessing, device: torch.device) -> None:
        self._config, window = preprocessing.spectrogram, preprocessing.audio.window
        config = self._config
        self._inner = slice(config.trim[0], window - config.trim[1])
        taper = hann(config.fft) if config.taper == "hann" else np.ones(config.fft)
        self._taper = torch.from_numpy(taper).to(device)
        self._filters: Tensor | None = None
        if config.bands.scale != "bins":
            filters = mel_filters(config.bands, preprocessing.audio.rate, config.fft)
            self._filters = torch.from_numpy(filters.T.copy()).float().to(device)

    def __call__(self, windows: Tensor) -> Tensor:
        """Compute spectrograms."""
        config = self._config
        padded = functional.pad(windows[:, self._inner].double(), (config.padding, config.padding))
        spectrum = torch.fft.rfft(padded.unfold(1, config.fft, config.step) * self._taper)
        power = (spectrum.real.square() + spectrum.imag.square()).float()
        if config.spectrum == "magnitude":
            power = power.sqrt()
        bands = power[..., : config.bands.count] if self._filters is None else power @ self._filters
        if config.logarithm:
            bands = bands.clamp(min=config.logarithm.floor).log()
        bands = functional.pad(bands, (0, 0, 0, config.blank))
        return ((bands + config.offset) / config.divisor).transpose(1, 2).unsqueeze(1).contiguous()


def _joined(recordings: Sequence[NDArray[np.int16]], lengths: NDArray[np.int64]) -> NDArray[np.int16]:
    """All samples in a row, each recording padded with zeros to a length."""
    pool = np.zeros(int(lengths.sum()), np.int16)
    for samples, end, length in zip(recordings, np.cumsum(lengths).tolist(), lengths.tolist(), strict=True):
        pool[end - length : end - length + len(samples)] = samples
    return pool
