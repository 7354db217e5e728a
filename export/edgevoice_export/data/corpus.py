"""A folder of audio as one memory map of int16 samples at the model's rate, with the speaker of each file."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.files import open_source, resampled
from edgevoice.audio.folders import find_audio
from edgevoice.errors import (
    ArgumentError,
    AudioError,
    AudioFileNotFoundError,
    AudioFormatError,
    AudioTooShortError,
    EdgeVoiceWarning,
    OutputError,
)
from edgevoice.files import whole_folder
from edgevoice_export.data.sampler import SCALE

_LAYOUT = "1"  # of the cache; goes into its key

Progress = Callable[[Iterable[Path]], Iterable[Path]]


@dataclass(frozen=True)
class Corpus:
    """The utterances of a corpus, one after the other."""

    samples: NDArray[np.int16]
    """All utterances (samples,), a memory map; value / 2^15 is the sample."""
    bounds: NDArray[np.int64]
    """First sample of each utterance, and the end of the last one: (utterances + 1,)."""
    files: tuple[str, ...]
    """Relative to the folder."""
    speakers: tuple[str, ...]
    validating: tuple[bool, ...] | None
    """Whether each utterance is for validation, if the table says so; otherwise None."""
    skipped: tuple[str, ...]
    """Why each unusable file was skipped; the text begins with its path."""
    digest: str
    """SHA-256 of the names and contents of the files, the rate and the speakers."""
    rate: int
    shortest: int
    """The smallest allowed number of samples in an utterance."""
    table: Path | None

    def __len__(self) -> int:
        return len(self.files)

    @property
    def hours(self) -> float:
        """The duration of all utterances."""
        return len(self.samples) / self.rate / 3600

    def split(self, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the utterances for training and for validation: as the table says, else a share of the speakers.

        Raises:
            ArgumentError: the table leaves none for one of the two, or has a speaker in both; or as `split_speakers`.
        """
        if self.validating is None:
            return split_speakers(self.speakers, share, seed)
        held = np.array(self.validating)
        if held.all() or not held.any():
            raise ArgumentError(f"{self.table}: its column use marks no file as {'train' if held.all() else 'validate'}")
        speakers = np.array(self.speakers)
        if both := set(speakers[held].tolist()) & set(speakers[~held].tolist()):
            raise ArgumentError(f"{self.table}: speaker {min(both)} is marked as train and as validate")
        return np.flatnonzero(~held), np.flatnonzero(held)

    def recordings(self, utterances: Iterable[int]) -> list[NDArray[np.int16]]:
        """Samples of some utterances: views of the memory map, (samples,) each."""
        return [self.samples[self.bounds[u] : self.bounds[u + 1]] for u in utterances]


def read_corpus(
    folder: Path, rate: int, shortest: int, table: Path | None = None, cache: Path | None = None, progress: Progress = iter
) -> Corpus:
    """Read a folder of audio. Decoded samples are kept in a cache whose key is the content of the files.

    Args:
        folder: searched with its subfolders.
        rate: sampling rate of the result, in hertz; channels are averaged.
        shortest: utterances of fewer samples are skipped.
        table: CSV with the columns `file` (relative to the folder, or absolute and inside it) and `speaker`; only files in
            it are read. A column `use` may say `train` or `validate`; else speakers for validation are drawn. Without a
            table, `utterances.csv` in the folder, where there is one; without that, the speaker is the file's folder.
        cache: where caches are kept; by default the user's cache folder.
        progress: wraps the list of files while they are read.

    Raises:
        AudioFileNotFoundError: no such folder or table, or the folder holds no audio.
        AudioFormatError: no file could be used, or the table lacks a column or cannot be read.
        ArgumentError: a row of the table has no speaker, or names no file inside the folder, or one that another row gives
            to another speaker; or there is no home to keep the cache in.
        OutputError: the cache cannot be written.
    """
    if not folder.is_dir():
        raise AudioFileNotFoundError(f"{folder}: no such folder")
    speakers, uses = _speakers(folder, table)
    digest = _digest(folder, speakers, rate, shortest)
    if uses:
        digest = hashlib.sha256(json.dumps([digest, uses]).encode()).hexdigest()
    try:
        home = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgevoice" / "corpora"
    except RuntimeError as error:
        raise ArgumentError("there is no home folder to keep decoded samples in: name a folder (--cache)") from error
    home = home / digest[:16]
    if not (home / "index.json").is_file():
        with whole_folder(home, replace=False) as draft:
            _write_samples(draft, folder, speakers, rate, shortest, progress)
    if not (home / "index.json").is_file():
        raise OutputError(f"{home}: already exists, and contains no decoded samples; remove it, or choose another cache")
    index = json.loads((home / "index.json").read_text(encoding="utf-8"))
    if not index["files"]:
        raise AudioFormatError(f"{folder}: none of {len(speakers)} files can be used, the first: {index['skipped'][0]}")
    return Corpus(
        samples=np.memmap(home / "samples.int16", np.int16, "r"),
        bounds=np.array(index["bounds"], np.int64),
        files=tuple(index["files"]),
        speakers=tuple(index["speakers"]),
        validating=tuple(uses[name] == "validate" for name in index["files"]) if uses else None,
        skipped=tuple(index["skipped"]),
        digest=digest,
        rate=rate,
        shortest=shortest,
        table=table,
    )


def read_file(path: Path, rate: int, shortest: int) -> NDArray[np.int16]:
    """Read one file as int16 samples at a rate; AudioError where it cannot be read or is shorter than `shortest` samples."""
    with open_source(path) as source:
        mono = np.concatenate([np.empty(0, np.float32), *resampled(source, rate, None)])
    if len(mono) < shortest:
        raise AudioTooShortError(f"{path}: has {len(mono)} samples at {rate} Hz, fewer than one window ({shortest})")
    return np.clip(np.rint(mono * SCALE), -SCALE, SCALE - 1).astype(np.int16)


def audio_below(folder: Path) -> list[Path]:
    """The audio files of a folder, with a warning for every folder that cannot be searched; errors as `find_audio`."""
    found = find_audio(folder)
    for _, error in found.errors:
        warnings.warn(f"skipped {error}", EdgeVoiceWarning, stacklevel=2)
    return found.files


def split_speakers(speakers: tuple[str, ...], share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split utterances into training and validation: (indices, indices). No speaker is in both.

    Raises:
        ArgumentError: fewer than two speakers, or the share is not between 0 and 1.
    """
    names = sorted(set(speakers))
    if not 0 < share < 1:
        raise ArgumentError(f"validation share {share}: expected a number between 0 and 1, such as 0.1")
    if len(names) < 2:
        raise ArgumentError(
            f"{len(names)} speaker in the data: expected two or more, some of them to validate on; put each speaker's files "
            "into a folder, or name the speakers in a table (--table)"
        )
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = set(np.random.default_rng([seed, 1]).choice(names, size=count, replace=False).tolist())
    held = np.array([name in chosen for name in speakers])
    return np.flatnonzero(~held), np.flatnonzero(held)


def _speakers(folder: Path, table: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """Speakers by relative path, sorted by path; and uses, where the table has that column."""
    listed = folder / "utterances.csv"
    if table is None and listed.is_file():
        table = listed
    if table is not None:
        speakers, uses = _read_table(table, folder)
        return dict(sorted(speakers.items())), dict(sorted(uses.items()))
    paths = [path.relative_to(folder) for path in audio_below(folder)]
    return {path.as_posix(): path.parent.as_posix() for path in paths}, {}


def _read_table(table: Path, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    speakers: dict[str, str] = {}
    uses: dict[str, str] = {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets put a byte order mark first
            rows = csv.DictReader(file)
            missing = {"file", "speaker"} - set(rows.fieldnames or ())
            if missing:
                raise AudioFormatError(f"{table}: has no column {' and no column '.join(sorted(missing))}")
            for row in rows:
                name, speaker = _inside(folder, row["file"]), row["speaker"]
                if name is None:
                    raise ArgumentError(f"{table}, line {rows.line_num}: {row['file']!r} is not a file inside {folder}")
                if not speaker:
                    raise ArgumentError(f"{table}, line {rows.line_num}: {name} has no speaker")
                if speakers.setdefault(name, speaker) != speaker:
                    raise ArgumentError(f"{table}, line {rows.line_num}: {name} is of {speakers[name]!r} in another line")
                use = uses[name] = row.get("use", "train")
                if use not in {"train", "validate"}:
                    raise ArgumentError(f"{table}, line {rows.line_num}: {name} is for {use!r}: expected train or validate")
    except FileNotFoundError as error:
        raise AudioFileNotFoundError(f"{table}: no such file") from error
    except OSError as error:
        raise AudioFormatError(f"{table}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise AudioFormatError(f"{table}: not a CSV table ({error})") from error
    if not speakers:
        raise AudioFormatError(f"{table}: lists no file")
    return speakers, uses if "use" in (rows.fieldnames or ()) else {}


def _inside(folder: Path, name: str) -> str | None:
    """A path from a table, relative to the folder; None where it is outside the folder, or the folder itself."""
    root = os.path.abspath(folder)  # noqa: PTH100 - Path.resolve would follow links out of the folder
    inner = Path(os.path.normpath(os.path.join(root, name)))  # noqa: PTH118 - as above
    if "\0" in name or not inner.is_relative_to(root) or inner == Path(root):
        return None
    return inner.relative_to(root).as_posix()


def _digest(folder: Path, speakers: dict[str, str], rate: int, shortest: int) -> str:
    digest = hashlib.sha256(f"{_LAYOUT} {rate} {shortest}".encode())
    for name, speaker in speakers.items():
        digest.update(f"\0{name}\0{speaker}\0".encode(errors="surrogateescape"))  # a name need not be UTF-8
        try:
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            digest.update(b"unreadable")
    return digest.hexdigest()


def _write_samples(
    draft: Path, folder: Path, speakers: dict[str, str], rate: int, shortest: int, progress: Progress
) -> None:
    bounds, files, skipped = [0], [], []
    with (draft / "samples.int16").open("wb") as out:
        for path in progress([folder / name for name in speakers]):
            name = path.relative_to(folder).as_posix()
            try:
                samples = read_file(path, rate, shortest)
            except AudioError as error:
                skipped.append(str(error))
                continue
            out.write(samples.tobytes())
            bounds.append(bounds[-1] + len(samples))
            files.append(name)
    index = {"bounds": bounds, "files": files, "speakers": [speakers[name] for name in files], "skipped": skipped}
    (draft / "index.json").write_text(json.dumps(index), encoding="utf-8")
