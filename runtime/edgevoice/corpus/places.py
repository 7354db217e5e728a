"""The columns of an index that say where audio is: their names, and their cells."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgevoice.errors import ArgumentError

KEYS = ("file", "start", "end", "channel")

_BLANKS = r"[\s\u200b-\u200f\u2060\ufeff]+"
"""Blanks, those that nobody sees too."""
_UNNAMED = re.compile(r"|index|unnamed: ?\d+([._]\w+)?|level_\d+|__index_level_\d+__")
"""Names that pandas gives an index without a name."""
_WHAT = "(segment|seg|utterance|utt|clip|chunk|speech|audio|time|t|x)?"
_UNIT = "(time|times|timestamp)?(s|secs?|seconds?|ms|msecs?|samples?|frames?)?"
_LOOKS = {
    "start": re.compile(f"{_WHAT}(start|begin|beginning|onset|from|[tx]min|t0){_UNIT}"),
    "end": re.compile(f"{_WHAT}(end|ending|stop|finish|to|until|[tx]max|t1){_UNIT}"),
    "either": re.compile(f"{_WHAT}(offset|duration|dur|length){_UNIT}"),
}
"""Names, in lower case and without punctuation, of columns that look like places in a file."""
_DURATION = re.compile(r"(?:(\d+) days?,? ?)?(?:(\d+):(\d\d):(\d\d(?:\.\d+)?))?")
_NOTHING = {"", "nat", "nan", "none", "null", "<na>"}


def stripped(name: object) -> str:
    """The name of a column without the blanks around it."""
    return re.sub(f"^{_BLANKS}|{_BLANKS}$", "", str(name))


def find_columns(names: Sequence[str], keep: Sequence[str] = ()) -> tuple[dict[str, int], list[int]]:
    """Find the columns of an index: those of `KEYS` by their names, and the numbers of the user's own.

    Names are compared without case. Those that pandas gives an unnamed index are left out.

    Args:
        names: without the blanks around them.
        keep: names that look like places, and are the user's own.

    Raises:
        ArgumentError: two columns have one name, or one looks like a place and is none.
    """
    plain = [name.casefold() for name in names]
    used = [k for k, name in enumerate(plain) if not _UNNAMED.fullmatch(name)]
    kept = {stripped(name).casefold() for name in keep}
    for k in used:
        if plain[k] in plain[:k]:
            raise ArgumentError(f"two of its columns have the same name, {names[k]!r}")
    if unknown := kept.difference(plain):
        raise ArgumentError(f"it has no column {', '.join(sorted(unknown))} to keep")
    at = {plain[k]: k for k in used if plain[k] in KEYS}
    own = [k for k in used if plain[k] not in KEYS]
    others = [names[k] for k in own if plain[k] not in kept]
    like = {
        side: [name for name in others if look.fullmatch(re.sub(r"\W|_", "", name).casefold())]
        for side, look in _LOOKS.items()
    }
    missing = [side for side in ("start", "end") if side not in at]
    found = [name for side in missing for name in like[side]]
    if missing and (len(missing) == 1 or found or len(like["either"]) > 1):
        found += like["either"]
    if found:
        raise ArgumentError(
            f"its column {found[0]!r} looks like a place, and there is no column {' and no '.join(missing)}: expected start "
            f"and end, in seconds; rename it, or keep it as your own (--keep {found[0]}, in Python keep=[{found[0]!r}])"
        )
    return at, own


def read_seconds(value: Any) -> float | None:
    """Convert a number, a text, or a duration of pandas, NumPy or Python to seconds; None for a missing value.

    Raises:
        ArgumentError: it is none of these.
    """
    seconds: float | None = None
    if _is_nothing(value):
        return None
    if isinstance(value, str):
        seconds = _parsed(value.strip())
    elif hasattr(value, "to_numpy") or isinstance(value, np.timedelta64):
        duration = value if isinstance(value, np.timedelta64) else value.to_numpy()
        if np.isnat(duration):
            return None
        seconds = int(duration.astype("timedelta64[ns]").astype(np.int64)) / 1e9 if duration.dtype.kind == "m" else None
    elif hasattr(value, "total_seconds"):
        seconds = value.total_seconds()
    elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
        if value != value:
            return None
        seconds = float(value) if -1e300 < value < 1e300 else None
    if seconds is None or not math.isfinite(seconds):
        raise ArgumentError(f"is {str(value)[:40]!r}: expected seconds, a duration, or nothing")
    return seconds


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _parsed(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        found = _DURATION.fullmatch(text)
    try:
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (math.nan,) * 4
    except OverflowError:
        return None
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def read_channel(value: Any) -> int | None:
    """Convert a number or a text to the number of a channel; None for a missing value.

    Raises:
        ArgumentError: it is none, or below 0.
    """
    if _is_nothing(value):
        return None
    try:
        number = float(value)
        if number.is_integer() and number >= 0:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ArgumentError(f"is {str(value)[:40]!r}: expected a whole number from 0 on, or nothing")
