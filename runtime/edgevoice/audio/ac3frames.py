"""The headers of AC-3 and E-AC-3 frames (ETSI TS 102 366)."""

from __future__ import annotations

SYNC = b"\x0b\x77"
_KBITS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)


def frame_size(head: bytes) -> int | None:
    """The size in bytes of a frame that begins with these six bytes; None where they are not the header of a frame."""
    if len(head) < 6 or head[:2] != SYNC:
        return None
    if head[5] >> 3 > 10:  # E-AC-3
        return 2 * ((head[2] & 7) << 8 | head[3]) + 2
    code, rate = head[4] & 63, head[4] >> 6
    if code >= 2 * len(_KBITS) or rate == 3:
        return None
    kbits = _KBITS[code // 2]
    return 2 * (2 * kbits, 1_536_000 * kbits // (16 * 44_100) + (code & 1), 3 * kbits)[rate]
