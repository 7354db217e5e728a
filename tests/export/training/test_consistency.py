"""Consistency of the code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgevoice_export.data.changes import CHANGES, Change
from edgevoice_export.data.sampler import Draw
from edgevoice_export.training.terms import code_distance, with_twins


def drawn(changes: list[Change | None]) -> Draw:
    count = len(changes)
    places = np.arange(count)
    return Draw(places, 10 * places, tuple(f"{k}" for k in range(count)), 1.0 + places, tuple(changes))


@given(
    changes=st.lists(
        st.one_of(st.none(), st.builds(Change, st.sampled_from(list(CHANGES)), st.just(0))), min_size=1, max_size=40
    ),
    under=st.sets(st.sampled_from(list(CHANGES)), min_size=1),
)
def test_twins_take_the_places_of_unchanged_windows(changes: list[Change | None], under: set[str]):
    draw = drawn(changes)
    twins, pairs = with_twins(draw, under)
    changed = [place for place, change in enumerate(changes) if change is not None and change.kind in under]
    assert len(pairs) == min(len(changed), changes.count(None))
    assert set(pairs[:, 0].tolist()) <= set(changed)
    assert twins.changes == draw.changes
    taken = dict(pairs[:, ::-1].tolist())
    assert len(taken) == len(pairs)
    for place in range(len(changes)):
        source = taken.get(place, place)
        assert twins.changes[place] is None or source == place
        assert changes[source] is not None or source == place
        told = twins.recordings[place], twins.starts[place], twins.levels[place], twins.gains[place]
        assert told == (source, 10 * source, f"{source}", 1.0 + source)


def test_distance_is_relative_to_the_spread_of_the_code():
    random = np.random.default_rng(0)
    code = random.normal(size=(1000, 3)) * (1, 10, 100)
    code = (code - code.mean(0)) / code.std(0) * (1, 10, 100)
    code[1] = code[0] + (0.3, 0, 0)
    code[3] = code[2] + (0, 10 * 1.2, 0)
    pairs = np.array([[0, 1], [2, 3]])
    expected = (0.3 + 1.2) / 2 / np.sqrt(3)
    assert code_distance(torch.from_numpy(code), pairs).item() == pytest.approx(expected, rel=0.01)
    assert code_distance(torch.from_numpy(7 * code), pairs).item() == pytest.approx(expected, rel=0.01)
    assert code_distance(torch.from_numpy(code), pairs[:0]).item() == 0


def test_equal_twins_and_still_numbers_have_a_gradient():
    code = torch.zeros(4, 2)
    code[:, 0] = torch.arange(4)
    code[1] = code[0]
    code.requires_grad_()
    code_distance(code, np.array([[0, 1]])).backward()
    assert code.grad is not None
    assert torch.isfinite(code.grad).all()
