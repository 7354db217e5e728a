"""Recognises kinds of files by their first bytes."""

from __future__ import annotations

from edgevoice.audio.mpegframes import frame_header

Kind = str
"""`wav`, `w64`, `aiff`, `au`, `caf`, `nist`, `voc`, `flac`, `ogg`, `mpeg`; `media` for what FFmpeg reads; empty for
none of them.
"""

HEAD = 4096
"""The number of bytes that are enough to recognise a kind."""

_AC3 = b"\x0b\x77"
_BEGINNINGS: dict[bytes, Kind] = {
    b"RIFX": "wav",
    b"riff\x2e\x91\xcf\x11": "w64",
    b".snd": "au",
    b"dns.": "au",
    b"caff": "caf",
    b"NIST_1A": "nist",
    b"Creative Voice File": "voc",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"\x1a\x45\xdf\xa3": "media",  # Matroska, WebM
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "media",  # ASF: WMA
    b"#!AMR": "media",
    b"ADIF": "media",
    b"FLV\x01": "media",
    b".RMF": "media",
    b"wvpk": "media",
    b"MAC ": "media",
    b"MPCK": "media",
    b"MP+": "media",
    b"TTA1": "media",
    b"DSD ": "media",
    b"FRM8": "media",
    _AC3: "media",
    b"\x7f\xfe\x80\x01": "media",  # DTS
    b"\x00\x00\x01\xba": "media",  # MPEG program stream
}
_WORDS = {
    "wav": "a WAV file",
    "w64": "a W64 file",
    "aiff": "an AIFF file",
    "au": "an AU file",
    "caf": "a CAF file",
    "nist": "a NIST SPHERE file",
    "voc": "a VOC file",
    "flac": "a FLAC file",
    "ogg": "an Ogg file",
    "mpeg": "an MP3 file",
    "media": "a media file (MP4, WebM, WMA, AAC or another)",
}
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot")


def kind_of(head: bytes) -> Kind:
    """The kind of a file that begins with these bytes; empty where it is unknown."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return "wav" if head[8:12] == b"WAVE" else "media" if head[8:11] == b"AVI" else ""
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    for beginning, kind in _BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[4:8] in _BOXES:
        return "media"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47 and head.count(0x47) < len(head) // 8:
        return "media"  # MPEG transport stream
    if head[:3] == b"ID3":
        return "mpeg"
    if frame_header(head):
        return "mpeg" if _continues(head) else ""
    return "media" if _is_adts(head) else ""


def container(head: bytes) -> str | None:
    """Describe the file that a pipe contains, by its first bytes; None where they may be samples.

    Signatures of two bytes are not enough here, because samples can have any value.
    """
    if head[:4] in (b"RIFF", b"FORM"):
        return "a WAV, AVI or AIFF file"
    kind = kind_of(head)
    return None if head.startswith(_AC3) else _WORDS.get(kind)


def _continues(head: bytes) -> bool:
    """Whether a second frame follows the first: a signature of two bytes alone proves nothing."""
    first = frame_header(head)
    if first is None:
        return False
    second = frame_header(head[first.size :])
    return second is not None and second.alike(first)


def _is_adts(head: bytes) -> bool:
    """Whether these bytes are consecutive AAC frames with ADTS headers."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return False
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size > 7 and head[size : size + 2] == head[:2]
