"""Converts whole numbers of any type to `int`."""

from __future__ import annotations

import operator
from contextlib import suppress
from numbers import Number
from typing import SupportsInt

from edgevoice.errors import ArgumentError


def whole_number(name: str, value: object, least: int, most: int | None = None, unit: str = "") -> int:
    """Convert a value to a whole number: an integer, or a value such as 48000.0, a Decimal or a Fraction.

    Args:
        name: what the value is, for the message.
        value: truth values and strings are no numbers.
        least: the smallest that is allowed.
        most: the largest that is allowed; None is no limit.
        unit: what is counted, for the message.

    Raises:
        ArgumentError: it holds none, or one outside what is allowed.
    """
    number = _held(value)
    if number is None or number < least or (most is not None and number > most):
        counted = f" of {unit}" if unit else ""
        allowed = f", {least} or more" if most is None else f" from {least} to {most}"
        raise ArgumentError(f"{name} {value!r}: expected a whole number{counted}{allowed}".lstrip())
    return number


def parse_whole(name: str, text: str, least: int, most: int | None = None, unit: str = "") -> int:
    """Convert a text such as 48000, 48000.0 or 4.8e4 to a whole number; arguments and errors as `whole_number`."""
    for kind in (int, float):  # int first: a float does not hold every large number
        with suppress(ValueError):  # an ArgumentError is one too
            return whole_number(name, kind(text), least, most, unit)
    return whole_number(name, text, least, most, unit)  # raises an error with the original text


def _held(value: object) -> int | None:
    if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") in {"b", "m"}:  # durations too
        return None
    with suppress(TypeError):  # an array has the method for every dtype
        return operator.index(value)  # type: ignore[arg-type]
    if isinstance(value, Number) and isinstance(value, SupportsInt):
        with suppress(ValueError, OverflowError):  # NaN, infinity
            number = int(value)
            return number if operator.eq(value, number) else None
    return None
