"""The preprocessing of audio: windows, level, spectrogram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from edgevoice.config import SILENCE, AudioConfig, BandsConfig, LevelConfig, LogarithmConfig, ModelConfig, SpectrogramConfig
from edgevoice.frontend import FrontEnd


@dataclass(frozen=True)
class Preprocessing:
    """The three sections of `model.json` that define the preprocessing, and the front end that follows from them."""

    audio: AudioConfig
    level: LevelConfig
    spectrogram: SpectrogramConfig

    @classmethod
    def of(cls, config: ModelConfig) -> Preprocessing:
        """The preprocessing of a model."""
        return cls(config.audio, config.level, config.spectrogram)

    @cached_property
    def front_end(self) -> FrontEnd:
        """The front end that computes the spectrograms."""
        return FrontEnd(self.spectrogram, self.audio)

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (bands, columns) of a spectrogram."""
        return self.front_end.shape


DISVOICE = Preprocessing(
    audio=AudioConfig(rate=16000, window=8000, hop=4000),
    # The floor is one step of 16-bit audio: from there up, features do not depend on the gain of a recording.
    level=LevelConfig(default="running", step=800, mean_rate=0.05, decay=0.9985, peak_floor=SILENCE),
    spectrogram=SpectrogramConfig(
        fft=512,
        step=64,
        taper="hann",
        padding=256,
        bands=BandsConfig(scale="slaney", count=128, low=0.0, high=8000.0),
        spectrum="power",
        logarithm=LogarithmConfig(floor=1e-10),
        # DisVoice's min_scaler -50.527256 and max_scaler 6.8561997, as it standardises
        offset=50.527256,
        divisor=57.3834559,
    ),
)
"""DisVoice's windows and spectrograms, at a level that a live stream has too."""
