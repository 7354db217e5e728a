"""Public calls with values of any type: what they do not take is an error of EdgeVoice's own."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edgevoice
from edgevoice import EdgeVoiceError, Extractor
from edgevoice.audio.rawpcm import PcmBytes

ARRAYS = [np.array(3), np.zeros(0), np.zeros(5), np.zeros((2, 3, 4)), np.zeros(3, "c8"), np.array(["a"]), np.array([None])]
SCALARS = [
    np.int64(3),
    np.int8(3),
    np.float16(0.5),
    np.timedelta64(1, "s"),
    np.float32(0.5),
    np.bool_(1),
    Decimal("NaN"),
    Fraction(1, 3),
    1j,
    10**400,
    1e-320,
]
OBJECTS = [
    object(),
    int,
    slice(None),
    range(3),
    io.StringIO("x"),
    io.BytesIO(b"x"),
    Path("nope"),
    "\0",
    "\ud800",
    bytearray(4),
    ...,
]
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
    | st.lists(st.integers() | st.text(max_size=2), max_size=3)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
    | st.tuples(st.integers(), st.integers()) | st.sampled_from([*ARRAYS, *SCALARS, *OBJECTS])
)  # fmt: skip
EXTRACT = ("level", "hop", "start", "end", "channel", "incomplete", "progress")
SECOND = (np.full(9000, 0.1, np.float32), 16000)

CALLS: dict[str, Callable[[Extractor, Any], object]] = {
    "load": lambda _, value: edgevoice.load(value),
    "load descriptors": lambda e, value: edgevoice.load(e.folder.path, descriptors=value),
    "load device": lambda e, value: edgevoice.load(e.folder.path, device=value),
    "extract": lambda e, value: e.extract(value),
    "extract rate": lambda e, value: e.extract((SECOND[0][:9], value)),
    "extract samples": lambda e, value: e.extract((value, 16000)),
    "stream rate": lambda e, value: e.stream(rate=value),
    "stream batcher": lambda e, value: e.stream(rate=16000, batcher=value),
    "push": lambda e, value: e.stream(rate=16000).push(value),
    "source dtype": lambda _, value: PcmBytes(1, value),
    "skip": lambda e, value: e.stream(rate=16000).skip(value),
    "describe": lambda e, value: e.describe(value),
    "encode": lambda e, value: e.encode(value),
    "functionals": lambda _, value: edgevoice.functionals(value),
    "features[]": lambda e, value: e.extract(SECOND)[value],
    "table": lambda e, value: edgevoice.table(value, e),
    "table extractor": lambda _, value: edgevoice.table(["a.wav"], value),
    "plot": lambda _, value: edgevoice.plot(value),
    "Hub": lambda _, value: edgevoice.Hub(value),
    "Hub backlog": lambda e, value: edgevoice.Hub(e, backlog=value),
    "Microphone": lambda _, value: edgevoice.Microphone(value),
    "Microphone device": lambda e, value: edgevoice.Microphone(e, device=value),
    **{f"extract {k}": lambda e, v, k=k: e.extract(SECOND, **{k: v}) for k in EXTRACT},
    **{f"table {k}": lambda e, v, k=k: edgevoice.table(["a.wav"], e, **{k: v}) for k in ("level", "hop", "channel", "jobs")},
}  # type: ignore[misc]


@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
@pytest.mark.filterwarnings("ignore::edgevoice.EdgeVoiceWarning")
def test_values_of_any_type(call: str, tiny: Extractor, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # As sequences have it: a place that is not there ends an iteration.
    expected = (EdgeVoiceError, IndexError) if call == "features[]" else EdgeVoiceError
    with contextlib.suppress(expected):
        CALLS[call](tiny, value)
