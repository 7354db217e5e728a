"""What happens to audio before a network sees it: cut into windows, brought to a level, made a spectrogram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from edgevoice.config import AudioConfig, LevelConfig, ModelConfig, SpectrogramConfig
from edgevoice.frontend import FrontEnd


@dataclass(frozen=True)
class Preprocessing:
    """The three sections of `model.json` that say so, and the front end that they make."""

    audio: AudioConfig
    level: LevelConfig
    spectrogram: SpectrogramConfig

    @classmethod
    def of(cls, config: ModelConfig) -> Preprocessing:
        """That of a model."""
        return cls(config.audio, config.level, config.spectrogram)

    @cached_property
    def front_end(self) -> FrontEnd:
        """Makes the spectrograms."""
        return FrontEnd(self.spectrogram, self.audio)

    @property
    def shape(self) -> tuple[int, int]:
        """(bands, columns) of a spectrogram."""
        return self.front_end.shape
