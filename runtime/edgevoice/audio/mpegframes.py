"""Headers of MPEG audio frames, as MP3 files consist of them."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_KILOBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


class FrameHeader(NamedTuple):
    """What the four bytes at a frame's beginning say."""

    version: int
    """As it is written: 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5."""
    layer: int
    rate: int
    channels: int
    size: int
    """Bytes of the frame, its header included."""
    samples: int
    """Samples of each channel that it decodes to."""

    def alike(self, other: FrameHeader) -> bool:
        """Whether both can be frames of one stream."""
        return self[:4] == other[:4]

    @property
    def side(self) -> int:
        """Bytes of header and side information: the position of an encoder's tag."""
        if self.version == 3:
            return 4 + (17 if self.channels == 1 else 32)
        return 4 + (9 if self.channels == 1 else 17)


def frame_header(data: bytes) -> FrameHeader | None:
    """The header that some bytes begin with; None where they begin with none."""
    return _parse(data[1], data[2], data[3] >> 6 == 3) if len(data) >= 4 and data[0] == 0xFF else None


@lru_cache(maxsize=4096)
def _parse(second: int, third: int, mono: bool) -> FrameHeader | None:
    if second & 0xE0 != 0xE0:
        return None
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    bits, at = third >> 4, third >> 2 & 3
    if version == 1 or layer == 4 or bits in (0, 15) or at == 3:
        return None
    rate = _RATES[version][at]
    kilobits = _KILOBITS[1 if version == 3 else 2, layer][bits - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    slot = 4 if layer == 1 else 1
    size = (samples // 8 // slot * kilobits * 1000 // rate + (third >> 1 & 1)) * slot
    return FrameHeader(version, layer, rate, 1 if mono else 2, size, samples)
