"""The preprocessing of audio: windows, level, spectrogram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from edgevoice.config import AudioConfig, LevelConfig, ModelConfig, SpectrogramConfig
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
