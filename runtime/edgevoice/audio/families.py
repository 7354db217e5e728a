"""The kinds of audio files: how each is recognised, which library reads it, and what is checked beside that."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from edgevoice.audio.integrity import Findings, Recording
from edgevoice.audio.integrity.flac import check_flac
from edgevoice.audio.integrity.frames import check_adts, check_amr, is_adts
from edgevoice.audio.integrity.lengths import check_au, check_caf, check_nist, check_w64
from edgevoice.audio.integrity.media import (
    asf_end,
    avi_end,
    check_asf,
    check_avi,
    check_matroska,
    check_mp4,
    matroska_end,
    mp4_end,
)
from edgevoice.audio.integrity.mpeg import check_mpeg, is_mpeg
from edgevoice.audio.integrity.ogg import check_ogg
from edgevoice.audio.integrity.wav import check_wav
from edgevoice.audio.views import View

HEAD = 4096
"""The number of bytes that are enough to recognise a family."""


class Family(NamedTuple):
    """One kind of files."""

    words: str
    """In words, for messages."""
    begins: Callable[[bytes], object]
    """Whether a file of it begins with these bytes, up to `HEAD`."""
    suffixes: str = ""
    """Of its files, for searching folders, separated by blanks."""
    check: Callable[[View, Findings], list[Recording]] | None = None
    """Notices what the library does not, and gives what that is to read."""
    media: bool = False
    """Whether only FFmpeg reads it: libsndfile is not asked."""
    end: Callable[[Any, Any, View], float | None] | None = None
    """Where a container and its audio track, as PyAV has them, say that the track ends, in seconds."""
    stamped: bool = True
    """Whether time stamps say where each packet belongs."""


def _starts(pattern: bytes) -> Callable[[bytes], object]:
    return re.compile(pattern, re.DOTALL).match


def _is_ac3(head: bytes) -> bool:
    """Whether AC-3 frames of one size begin here; two bytes alone can be samples."""
    size = head.find(b"\x0b\x77", 64)
    return head[:2] == b"\x0b\x77" and size > 0 and (head[2 * size :][:2] or b"\x0b\x77") == b"\x0b\x77"


def _is_transport_stream(head: bytes) -> bool:
    return head[0:565:188] == b"\x47" * 4 and head.count(0x47) < len(head) // 8


_MP4 = rb"....(ftyp|moov|mdat|free|wide|skip|pnot)"
_EBML = b"\x1a\x45\xdf\xa3"
_ASF = rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
MP3 = Family("an MP3 file", lambda head: head[:3] == b"ID3" or is_mpeg(head), ".mp3 .mp2", check_mpeg)
FAMILIES = (
    Family("a WAV file", _starts(rb"(RIFF|RF64|BW64)....WAVE|RIFX"), ".wav .wave .rf64 .bw64", check_wav),
    Family("an AIFF file", _starts(rb"FORM....AIF[FC]"), ".aif .aiff .aifc"),
    Family("a W64 file", _starts(rb"riff\x2e\x91\xcf\x11"), ".w64", check_w64),
    Family("an AU file", _starts(rb"\.snd|dns\."), ".au .snd", check_au),
    Family("a CAF file", _starts(rb"caff"), ".caf", check_caf),
    Family("a NIST SPHERE file", _starts(rb"NIST_1A"), ".nist .sph", check_nist),
    Family("a FLAC file", _starts(rb"fLaC"), ".flac", check_flac),
    Family("an Ogg file", _starts(rb"OggS"), ".ogg .oga .opus .spx", check_ogg),
    MP3,
    Family("an AAC file", is_adts, ".aac", check_adts, True),
    Family("an AMR file", _starts(rb"#!AMR"), ".amr .awb", check_amr, True),
    Family("an MP4 file", _starts(_MP4), ".m4a .m4b .m4v .mp4 .mov .3gp .3g2", check_mp4, True, mp4_end),
    Family(
        "a Matroska or WebM file", _starts(b"\x1a\x45\xdf\xa3"), ".mka .mkv .webm .weba", check_matroska, True, matroska_end
    ),
    Family("an ASF or WMA file", _starts(_ASF), ".asf .wma .wmv", check_asf, True, asf_end),
    Family("an AVI file", _starts(rb"RIFF....AVI"), ".avi", check_avi, True, avi_end, False),
    # All below is read as the library gives it.
    Family("an AC-3 file", _is_ac3, ".ac3 .eac3", None, True),
    Family("a DTS file", _starts(rb"\x7f\xfe\x80\x01"), ".dts", None, True),
    Family("an FLV file", _starts(rb"FLV\x01"), ".flv", None, True),
    Family("a RealMedia file", _starts(rb"\.RMF|\.ra\xfd"), ".ra .rm", None, True),
    Family("an MPEG transport stream file", _is_transport_stream, "", None, True),
    Family("an MPEG program stream file", _starts(rb"\0\0\x01\xba"), ".mpeg .mpg .vob", None, True),
    Family("a WavPack file", _starts(rb"wvpk"), ".wv", None, True),
    Family("a Monkey's Audio file", _starts(rb"MAC "), ".ape", None, True),
    Family("a Musepack file", _starts(rb"MPCK|MP\+"), ".mpc", None, True),
    Family("a TTA file", _starts(rb"TTA1"), ".tta", None, True),
    Family("a DSD file", _starts(rb"DSD |FRM8"), "", None, True),
    Family("a NUT file", _starts(rb"nut/multimedia container"), "", None, True),
    Family("an AAC file", _starts(rb"ADIF"), "", None, True),
    Family("a VOC file", _starts(rb"Creative Voice File")),
    Family("an AVR file", _starts(rb"2BIT")),
    Family("a PAF file", _starts(rb" paf|fap ")),
    Family("a PVF file", _starts(rb"PVF1\n")),
    Family("a MATLAB file", _starts(rb"MATLAB 5\.0 MAT-file")),
    Family("a Psion file", _starts(rb"ALawSoundFile\*\*")),
    Family("an XI file", _starts(rb"Extended Instrument:")),
    Family("an IRCAM file", _starts(rb"\x64\xa3[\x01-\x03]\0|\0[\x01-\x03]\xa3\x64")),
    Family("a MIDI file", _starts(rb"MThd\0\0\0\x06")),
)
"""All families; what libsndfile reads beside them is not searched for here."""

UNKNOWN = Family("a file of an unknown kind", bool)
"""What libsndfile, and then FFmpeg, may know."""

DEMUXERS = (
    "wav,aiff,w64,au,caf,nistsphere,flac,ogg,aac,amr,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,avi,"
    "ac3,eac3,dts,flv,rm,mpegts,mpeg,wv,ape,mpc,mpc8,tta,dsf,iff,nut"
)
"""What FFmpeg may open: no playlist, and nothing that names other files."""


def family_of(head: bytes) -> Family:
    """The family of a file that begins with these bytes, up to `HEAD`."""
    return next((family for family in FAMILIES if family.begins(head)), UNKNOWN)


def audio_suffixes() -> set[str]:
    """Suffixes, in lower case, of files whose header states rate and encoding."""
    import soundfile

    read = {f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"}
    # Those of FFmpeg are searched for where PyAV is missing too, so that no file is skipped silently.
    return read.union(*(family.suffixes.split() for family in FAMILIES))
