"""Recognises kinds of files by their first bytes."""

from __future__ import annotations

from edgevoice.audio.ac3frames import SYNC, frame_size
from edgevoice.audio.mpegframes import frame_header

Kind = str
"""A kind that libsndfile reads (`wav`, `w64`, `aiff`, `au`, `caf`, `nist`, `voc`, `flac`, `ogg`, `mpeg`), one of `MEDIA`,
or empty for none of them.
"""

MEDIA: dict[Kind, str] = {
    "mp4": "an MP4 file",
    "matroska": "a Matroska or WebM file",
    "asf": "an ASF file, such as WMA",
    "adts": "an AAC file",
    "amr": "an AMR file",
    "ac3": "an AC-3 file",
    "flv": "an FLV file",
    "avi": "an AVI file",
    "real": "a RealMedia file",
    "transport stream": "an MPEG transport stream file",
    "program stream": "an MPEG program stream file",
    "media": "a media file",
}
"""Kinds that FFmpeg reads, in words for messages; `media` is any other one."""

HEAD = 4096
"""The number of bytes that are enough to recognise a kind."""

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
    b"\x1a\x45\xdf\xa3": "matroska",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"#!AMR": "amr",
    b"ADIF": "media",
    b"FLV\x01": "flv",
    b".RMF": "real",
    b"wvpk": "media",
    b"MAC ": "media",
    b"MPCK": "media",
    b"MP+": "media",
    b"TTA1": "media",
    b"DSD ": "media",
    b"FRM8": "media",
    SYNC: "ac3",
    b"\x7f\xfe\x80\x01": "media",  # DTS
    b"\x00\x00\x01\xba": "program stream",
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
    **MEDIA,
}
_RARE = {
    b"2BIT": "an AVR file",
    b" paf": "a PAF file",
    b"fap ": "a PAF file",
    b"PVF1\n": "a PVF file",
    b"MATLAB 5.0 MAT-file": "a MATLAB file",
    b"ALawSoundFile**": "a Psion file",
    b"Extended Instrument:": "an XI file",
    b"\x64\xa3\x01\x00": "an IRCAM file",
    b"\x64\xa3\x02\x00": "an IRCAM file",
    b"\x64\xa3\x03\x00": "an IRCAM file",
    b"\x00\x02\xa3\x64": "an IRCAM file",
    b"nut/multimedia container": "a NUT file",
    b"MThd\x00\x00\x00\x06": "a MIDI file",
}
"""Further files, for messages: libsndfile finds out by itself which of them it reads."""
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot")


def kind_of(head: bytes) -> Kind:
    """The kind of a file that begins with these bytes; empty where it is unknown."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return "wav" if head[8:12] == b"WAVE" else "avi" if head[8:11] == b"AVI" else ""
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    for beginning, kind in _BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[4:8] in _BOXES:
        return "mp4"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47 and head.count(0x47) < len(head) // 8:
        return "transport stream"
    if head[:3] == b"ID3":
        return "mpeg"
    if frame_header(head):
        return "mpeg" if _continues(head) else ""
    return "adts" if _is_adts(head) else ""


def container(head: bytes) -> str | None:
    """Describe the file that a pipe contains, by its first bytes; None where they may be samples.

    Signatures of two bytes are not enough here, because samples can have any value.
    """
    if head[:4] in (b"RIFF", b"FORM"):
        return "a WAV, AVI or AIFF file"
    for beginning, words in _RARE.items():
        if head.startswith(beginning):
            return words
    if head.startswith(SYNC) and not _is_ac3(head):
        return None
    return _WORDS.get(kind_of(head))


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


def _is_ac3(head: bytes) -> bool:
    """Whether these bytes are consecutive AC-3 or E-AC-3 frames."""
    size = frame_size(head[:6])
    return size is not None and head[size : size + 2] == SYNC
