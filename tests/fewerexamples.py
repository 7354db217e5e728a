"""How many examples a property that takes long is tried with."""

from __future__ import annotations

from hypothesis import settings


def fewer_examples(count: int) -> settings:
    """A decorator: so many examples where others have 100, and in proportion where a profile draws more."""
    return settings(max_examples=count * settings().max_examples // 100)
