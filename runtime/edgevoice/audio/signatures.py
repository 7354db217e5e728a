"""What kind of file begins like this."""

from __future__ import annotations

from edgevoice.audio.mpegframes import frame_header

Kind = str
"""`wav`, `w64`, `aiff`, `au`, `caf`, `nist`, `voc`, `flac`, `ogg`, `mpeg`; `media`: what FFmpeg reads; ``: none of them."""

HEAD = 4096
"""Bytes that tell the kind, where there are so many."""

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
    b"\x0b\x77": "media",  # AC-3
    b"\x7f\xfe\x80\x01": "media",  # DTS
    b"\x00\x00\x01\xba": "media",  # MPEG program stream
}
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot")


def kind_of(head: bytes) -> Kind:
    """The kind of a file that begins with these bytes; empty where it is none that is known here."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return "wav" if head[8:12] == b"WAVE" else "media" if head[8:11] == b"AVI" else ""
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    for beginning, kind in _BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[4:8] in _BOXES:
        return "media"
    if len(head) > 188 and head[0] == head[188] == 0x47 and (len(head) <= 376 or head[376] == 0x47):
        return "media"  # MPEG transport stream
    if head[:3] == b"ID3":
        return "mpeg"
    if frame_header(head):
        return "mpeg" if _continues(head) else ""
    return "media" if _is_adts(head) else ""


def _continues(head: bytes) -> bool:
    """Whether a second frame follows the first: two bytes alone may be anything."""
    first = frame_header(head)
    if first is None:
        return False
    second = frame_header(head[first.size :])
    return second is not None and second.alike(first)


def _is_adts(head: bytes) -> bool:
    """Whether frames of AAC with ADTS headers follow each other."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return False
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size > 7 and head[size : size + 2] == head[:2]
