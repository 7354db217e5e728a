"""The windows of `WindowSampler`, drawn and computed in PyTorch: the whole corpus is held on the device as int16 samples.

NumPy makes 2 000 spectrograms a second on one core; a GPU that trains on them then waits. Here all are tensor operations of
fixed shapes, so that a step of training can be one CUDA graph. All that is random comes from PyTorch's generator of the
device. For the same draws, spectrograms differ from NumPy's by rounding, less than 1e-4 in the quietest bands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgevoice.config import SILENCE
from edgevoice.errors import ArgumentError
from edgevoice.frontend import hann, mel_filters
from edgevoice.levels import Running, Steps, Utterance, Window
from edgevoice_export.data.changes import mp3_coded
from edgevoice_export.data.devicechanges import DEVICE_CHANGES, DeviceChange
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.data.sampler import SCALE, Recording


@dataclass
class DeviceDraw:
    """A batch of windows: as `sampler.Draw`, in tensors (n,), and levels by their number in the sampler."""

    recordings: Tensor
    starts: Tensor
    levels: Tensor
    gains: Tensor
    changes: Sequence[tuple[slice | Tensor, DeviceChange]] = ()
    """The changes, and the rows that they apply to."""
    coded: slice | None = None
    """Rows that are taken from the copies that were encoded as MP3."""


class Plan(NamedTuple):
    """Which rows of every batch are changed, and which rows are pairs of windows from one recording.

    The numbers are those of `WindowSampler.draw` on average; they are fixed, because the shapes of a CUDA graph are fixed.
    """

    batch: int
    kinds: tuple[tuple[str, slice], ...]
    """The changes, and the rows that they apply to."""
    pairs: NDArray[np.int64]
    """Rows of pairs of windows from one recording, (pairs, 2): the last ones, all first windows before all second ones."""

    @classmethod
    def of(cls, batch: int, share: float, changes: Sequence[str], partners: bool = False) -> Plan:
        """Plan a batch, a share of which goes through changes: what is listed twice comes twice as often."""
        each = round(share * batch / len(changes)) if changes else 0
        if changes and not 0 < each * len(changes) <= batch:
            raise ArgumentError(
                f"augment {share:g} in batches of {batch} on the device: every batch has {each} windows of each of "
                f"{len(changes)} changes; choose another share or batch, or fewer changes"
            )
        kinds = tuple((kind, slice(each * k, each * (k + 1))) for k, kind in enumerate(changes) if each)
        count = batch // 2 if partners else 0
        return cls(batch, kinds, np.arange(batch - 2 * count, batch).reshape(2, count).T)


class DeviceSampler:
    """The windows of some recordings, on a device; one that is shorter than a window has zeros after it.

    Where windows that went through MP3 are wanted (`coded`), each recording is kept twice; the seed decides how strongly it
    is coded.
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
        window, rate = self._audio.window, self._audio.rate
        held = [Recording(samples, window) for samples in recordings]
        lengths = np.array([len(recording) for recording in held])
        self._spans = self._tensor(lengths - window + 1)
        self._ends = torch.cumsum(self._spans, 0)
        self._places = int(self._ends[-1])
        self._first = self._tensor(np.cumsum(lengths) - lengths)
        padded = [np.pad(samples, (0, max(0, window - len(samples)))) for samples in recordings]
        self._pool = self._tensor(np.concatenate(padded))
        self._coded: Tensor | None = None
        if coded:
            random = np.random.default_rng([seed, 5])
            copies = [(mp3_coded(recording[:], rate, random) * SCALE).round().clip(-32768, 32767) for recording in held]
            self._coded = self._tensor(np.concatenate([copy.astype(np.int16) for copy in copies]))
        self._levels = [DEVICE_LEVELS[name](held, preprocessing, self.device) for name in levels]
        self._front_end = DeviceFrontEnd(preprocessing, self.device)
        self._within = torch.arange(window, device=self.device)

    def draw(self, plan: Plan, jitter_db: float) -> DeviceDraw:
        """Draw positions, with equal probability; a level and a gain for each, and the changes of the plan."""
        count, device = plan.batch, self.device
        places = (torch.rand(count, device=device, dtype=torch.float64) * self._places).long()
        recordings = torch.searchsorted(self._ends, places, right=True)
        starts = places - (self._ends - self._spans)[recordings]
        levels = torch.randint(len(self._levels), (count,), device=device)
        gains = 10 ** ((torch.rand(count, device=device) * 2 - 1) * (jitter_db / 20))
        if partners := len(plan.pairs):
            recordings[-partners:] = recordings[-2 * partners : -partners].clone()
            spans = self._spans[recordings[-partners:]]
            starts[-partners:] = (torch.rand(partners, device=device, dtype=torch.float64) * spans).long()
        coded = next((rows for kind, rows in plan.kinds if kind == "mp3"), None)
        changes = [
            (rows, DEVICE_CHANGES[kind].draw(rows.stop - rows.start, self._audio.window, device))
            for kind, rows in plan.kinds
            if kind != "mp3"
        ]
        return DeviceDraw(recordings, starts, levels, gains, changes, coded)

    @torch.no_grad()
    def spectrograms(self, draw: DeviceDraw) -> Tensor:
        """Compute standardised spectrograms of the drawn windows, float32 (n, 1, bands, columns)."""
        places = (self._first[draw.recordings] + draw.starts)[:, None] + self._within
        windows = self._pool[places].float() / SCALE
        found = [measure(draw.recordings, draw.starts, windows) for measure in self._levels]
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


Measure = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Offset and peak (1 / gain), float32 (n,), of windows: from their recordings, starts (n,) and samples (n, window)."""


def _running(recordings: Sequence[Recording], preprocessing: Preprocessing, device: torch.device) -> Measure:
    """`levels.Running`: the state after each complete step, with the peak raised by the samples after the last step."""
    config, window, measured = preprocessing.level, preprocessing.audio.window, []
    step = config.step
    for recording in recordings:
        steps = len(recording) // step
        means = Steps.measure(recording[: steps * step], step)
        offset, gain = Running(config).follow(means, np.zeros(steps, np.bool_))
        measured.append(np.stack([offset, 1 / gain], axis=1))
    counts = torch.tensor([len(rows) for rows in measured], device=device)
    begins = torch.cumsum(counts, 0) - counts
    states = _floats(np.concatenate(measured), device)

    def measure(recordings: Tensor, starts: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
        ends = starts + window
        offset, peak = states[begins[recordings] + ends // step - 1].unbind(1)
        after = torch.arange(step, device=device) >= step - (ends % step)[:, None]
        rest = (windows[:, -step:] - offset[:, None]).abs() * after
        return offset, torch.maximum(peak, rest.amax(1))

    return measure


def _utterance(recordings: Sequence[Recording], preprocessing: Preprocessing, device: torch.device) -> Measure:
    """`levels.Utterance`: one offset and gain per recording."""
    tracks = [Utterance(preprocessing.level).track(recording) for recording in recordings]  # type: ignore[arg-type]
    states = _floats([(offset, 1 / gain) for offset, gain in (track(0, 0) for track in tracks)], device)

    def measure(recordings: Tensor, _starts: Tensor, _windows: Tensor) -> tuple[Tensor, Tensor]:
        offset, peak = states[recordings].unbind(1)
        return offset, peak

    return measure


def _window(_recordings: Sequence[Recording], preprocessing: Preprocessing, _device: torch.device) -> Measure:
    """`levels.Window`: mean and peak of each window."""
    constant = preprocessing.level.peak_constant

    def measure(_recordings: Tensor, _starts: Tensor, windows: Tensor) -> tuple[Tensor, Tensor]:
        offset = windows.mean(1)
        peak = (windows - offset[:, None]).abs().amax(1)
        return offset, peak + constant if constant else peak.clamp(min=SILENCE)

    return measure


DEVICE_LEVELS = {Running.name: _running, Utterance.name: _utterance, Window.name: _window}


def _floats(rows: Any, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(rows, np.float32)).to(device)


class DeviceFrontEnd:
    """`edgevoice.frontend.FrontEnd` in PyTorch: (n, window) at their level -> (n, 1, bands, columns).

    As there, all is float64 up to the power: float32 would leave rounding errors in bands that a change has emptied.
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
