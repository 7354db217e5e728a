"""Whole numbers in any type, and as text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice import ArgumentError
from edgevoice.wholenumbers import parse_whole, whole_number

EXACT = 2**53
"""Up to here, a float holds every whole number."""

TYPES = (int, float, Decimal, Fraction, np.int64, np.float64, np.longdouble, np.array)


@given(number=st.integers(-EXACT, EXACT), kind=st.sampled_from(TYPES))
def test_the_type_does_not_matter(number: int, kind: Callable[[int], object]) -> None:
    found = whole_number("count", kind(number), -EXACT)
    assert (type(found), found) == (int, number)


@pytest.mark.parametrize("value", [np.uint8(200), np.float16(200), np.float32(200), 200.0, Decimal("2e2")])
def test_narrow_types_are_taken(value: object) -> None:
    assert whole_number("count", value, 0) == 200


@given(number=st.floats().filter(lambda number: not number.is_integer()))
def test_other_numbers_are_refused(number: float) -> None:
    for value in (number, np.float64(number), Decimal(number)):
        with pytest.raises(ArgumentError, match=r"^count .*: expected a whole number, "):
            whole_number("count", value, -(10**400))


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        np.array(True),
        np.array([1, 2]),
        np.array(1.5),
        "1",
        b"1",
        None,
        1 + 0j,
        Fraction(1, 2),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        [1],
    ],
)
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ArgumentError, match="expected a whole number"):
        whole_number("count", value, 0)


def test_messages_tell_what_is_allowed() -> None:
    with pytest.raises(ArgumentError, match=r"^channel -1: expected a whole number, 0 or more$"):
        whole_number("channel", -1, 0)
    with pytest.raises(ArgumentError, match=r"^rate 99\.0: expected a whole number of hertz from 100 to 768000$"):
        whole_number("rate", 99.0, 100, 768000, "hertz")
    with pytest.raises(ArgumentError, match=r"from 1 to 3$"):
        whole_number("count", 4, 1, 3)
    with pytest.raises(ArgumentError, match=r"^'4\.80': expected a whole number, 1 or more$"):
        parse_whole("", "4.80", 1)


@given(number=st.integers())
def test_a_whole_number_as_text_is_itself(number: int) -> None:
    assert parse_whole("count", str(number), number) == number


@pytest.mark.parametrize("text", ["48000", "48000.0", "48000.", "4.8e4", "+48000", "480000e-1"])
def test_every_spelling_is_taken(text: str) -> None:
    assert parse_whole("rate", text, 100, 768000, "hertz") == 48000


@pytest.mark.parametrize("text", ["", "many", "0.5", "nan", "inf", "1e400", "True", "0x10", "-1", "7k"])
def test_other_texts_are_refused_as_they_stand(text: str) -> None:
    with pytest.raises(ArgumentError, match=rf"^count '{text}': expected a whole number, 0 or more$"):
        parse_whole("count", text, 0)
