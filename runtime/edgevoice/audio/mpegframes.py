"""The headers of MPEG audio frames, which MP3 files consist of."""

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
    """The information in the four bytes of a frame header."""

    version: int
    """The version as it is stored: 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5."""
    layer: int
    rate: int
    channels: int
    size: int
    """The size of the frame in bytes, including the header."""
    samples: int
    """The number of samples per channel that the frame decodes to."""

    def alike(self, other: FrameHeader) -> bool:
        """Whether two frames can belong to one stream."""
        return self[:4] == other[:4]

    @property
    def side(self) -> int:
        """The size of header and side information in bytes; the tag of an encoder begins after them."""
        if self.version == 3:
            return 4 + (17 if self.channels == 1 else 32)
        return 4 + (9 if self.channels == 1 else 17)


def frame_header(data: bytes) -> FrameHeader | None:
    """Read a frame header; None where these bytes are none."""
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
