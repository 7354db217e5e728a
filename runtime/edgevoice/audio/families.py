"""The kinds of audio files: how each is recognised, which library reads it, and what is checked beside that."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from edgevoice.audio.integrity import flac, frames, lengths
from edgevoice.audio.reading import View

HEAD = 4096
"""The number of bytes that are enough to recognise a family."""


class Family(NamedTuple):
    """One kind of files."""

    words: str
    begins: Callable[[bytes], object]  # whether a file of it begins with these bytes, up to `HEAD`
    suffixes: str = ""  # of its files, for searching folders, separated by blanks
    check: Callable[[View], View | None] | None = None
    """Notices what the library does not, and gives what it is to read; None where libsndfile cannot."""
    media: bool = False  # whether only FFmpeg reads it: libsndfile is not asked
    either: bool = False  # whether FFmpeg reads some that libsndfile takes for damaged


def _starts(pattern: bytes) -> Callable[[bytes], object]:
    return re.compile(pattern, re.DOTALL).match


_MP4 = rb"....(ftyp|moov|mdat|free|wide|skip|pnot)"
MP3 = Family(
    "an MP3 file",
    lambda head: head[:3] == b"ID3" or frames.begins_with(frames.measure_mpeg, head),
    ".mp3 .mp2",
    frames.check_mpeg,
)
FAMILIES = (
    Family("a WAV file", _starts(rb"(RIFF|RF64|BW64)....WAVE|RIFX"), ".wav .wave .rf64 .bw64", lengths.check_chunks),
    Family("an AIFF file", _starts(rb"FORM....AIF[FC]"), ".aif .aiff .aifc", lengths.check_chunks),
    Family("a W64 file", _starts(rb"riff\x2e\x91\xcf\x11"), ".w64", lengths.check_chunks),
    Family("an AU file", _starts(rb"\.snd|dns\."), ".au .snd", lengths.check_au),
    Family("a CAF file", _starts(rb"caff"), ".caf", lengths.check_chunks),
    Family("a NIST SPHERE file", _starts(rb"NIST_1A"), ".nist .sph", lengths.check_nist),
    Family("a FLAC file", _starts(rb"fLaC"), ".flac", flac.check),
    # Opus that was cut out of a longer recording is complete, and only FFmpeg reads it.
    Family("an Ogg file", _starts(rb"OggS"), ".ogg .oga .opus .spx", frames.check_ogg, either=True),
    MP3,
    Family("an AAC file", partial(frames.begins_with, frames.measure_adts), ".aac", frames.check_adts, True),
    Family("an AMR file", _starts(rb"#!AMR"), ".amr .awb", None, True),
    Family("an MP4 file", _starts(_MP4), ".m4a .m4b .m4v .mp4 .mov .3gp .3g2", lengths.check_mp4, True),
    Family("a Matroska or WebM file", _starts(rb"\x1a\x45\xdf\xa3"), ".mka .mkv .webm .weba", None, True),
    Family("an ASF or WMA file", _starts(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), ".asf .wma .wmv", lengths.check_asf, True),
    Family("an AVI file", _starts(rb"RIFF....AVI"), ".avi", lengths.check_avi, True),
    # What is read as the libraries give it: AC-3, DTS, FLV, RealMedia, MPEG program and transport streams, WavPack, Monkey's
    # Audio, Musepack, TTA, DSD, NUT, ADIF; VOC, AVR, PAF, PVF, MATLAB, Psion, XI, IRCAM, MIDI; all other RIFF and IFF.
    Family(
        "an audio or video file",
        _starts(
            rb"\x0b\x77.{62,}\x0b\x77|\x7f\xfe\x80\x01|FLV\x01|\.RMF|\.ra\xfd|\0\0\x01\xba|G[^G].{186}G.{187}G.{187}G|"
            rb"wvpk|MAC |MPCK|MP\+|TTA1|DSD |FRM8|nut/multimedia container|ADIF|Creative Voice File|2BIT| paf|fap |PVF1\n|"
            rb"MATLAB 5\.0 MAT-file|ALawSoundFile\*\*|Extended Instrument:|\x64\xa3[\x01-\x03]\0|\0[\x01-\x03]\xa3\x64|MThd|"
            rb"RIFF.{8}|FORM.{8}"
        ),
        ".ac3 .eac3 .dts .flv .ra .rm .mpeg .mpg .vob .wv .ape .mpc .tta",
    ),
)
"""All families; what libsndfile reads beside them is not searched for here."""

UNKNOWN = Family("a file of an unknown kind", bool)
"""What libsndfile, and then FFmpeg, may know."""


def family_of(head: bytes) -> Family:
    """The family of a file that begins with these bytes, up to `HEAD`."""
    return next((family for family in FAMILIES if family.begins(head)), UNKNOWN)


def recognised(view: View) -> tuple[View, Family]:
    """What the file is, and the file without tags and zeros before it: any format can stand behind them."""
    view = view.part_from(frames.behind_tags(view))
    family = family_of(view.part(0, HEAD))
    if family is UNKNOWN:
        head = view.part(0, frames.JUNK)
        behind = frames.behind_tags(view, len(head) - len(head.lstrip(b"\0")))
        family = family_of(view.part(behind, HEAD))
        if family is not UNKNOWN:
            return view.part_from(behind), family
        runs, *_ = frames.find_runs(view.part_from(0, frames.JUNK), frames.measure_mpeg)
        # libsndfile takes all files that begin so for MP3, and finds frames in any bytes: four in a row are some.
        if (head[:1] == b"\xff" and head[1:2] >= b"\xe0") or any(run.frames >= 4 for run in runs):
            family = MP3
    return view, family
