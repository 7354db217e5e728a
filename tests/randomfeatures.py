"""Features and a recipe that no model made."""

from __future__ import annotations

import numpy as np

from edgevoice.features import Features, Group, Layout
from edgevoice.recipe import Recipe
from edgevoice.windows import FACTS

LAYOUT = Layout((Group("bottleneck", 2), Group("error", 3)), 16000, 8000)
DIGEST = f"sha256:{0:064}"
RECIPE = Recipe(
    "1", None, "m", "1", (("encoder.onnx", DIGEST),), DIGEST, "cpu", "running", 0.25, None, False, "soxr HQ", "all"
)


def random_features(count: int, seed: int = 0) -> Features:
    """Frames of random descriptors, every second one silent, the others with a gap."""
    index = np.arange(count)
    flags = index % 2 == 1
    numbers = np.linspace(-30.0, -10.0, count)
    facts = np.zeros(count, FACTS)
    columns = (index, 4000 * index, flags, ~flags, numbers, numbers, -numbers)
    for name, column in zip(FACTS.names or (), columns, strict=True):
        facts[name] = column
    values = np.random.default_rng(seed).standard_normal((count, 5)).astype(np.float32)
    return Features(values, facts, LAYOUT, "", (0.0, (count + 1) / 4))
