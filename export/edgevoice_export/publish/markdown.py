"""Markdown: tables, and what a model hub reads at the head of a card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgevoice.config import ModelConfig

_RULES = {"l": "---", "r": "---:"}
NOT_STATED = "not stated"  # in the place of a licence that nobody gave
_SPDX = (  # identifiers that the hub knows in lower case
    *("MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense", "MPL-2.0", "GPL-2.0", "GPL-3.0", "LGPL-3.0"),
    *("AGPL-3.0", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"),
    "CC-BY-NC-ND-4.0",
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str | None = None) -> str:
    """The lines of a table, without a final line break; `align` is a letter a column, `l` or `r`."""
    if align is None:
        rule = "|---" * len(head) + "|"
    else:
        rule = _row([_RULES[letter] for _, letter in zip(head, align, strict=True)])
    return "\n".join([_row(head), rule, *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def spdx(licence: str) -> str:
    """The SPDX identifier of a licence with another name (`CC BY 4.0`); the name itself where it is unknown."""
    known = {_key(name): name for name in _SPDX}
    return known.get(_key(licence), licence)


def metadata(config: ModelConfig, data: str = "", errors: Mapping[str, float] | None = None) -> str:
    """The YAML at the head of a card, as Hugging Face's hub reads it, so that a model folder can be uploaded unchanged.

    `data` is the name of what it was trained on; `errors` are mean squared errors by level, on speakers that it was not.
    """
    licence = spdx(config.licence)
    values: dict[str, Any] = {}
    if licence in _SPDX:
        values["license"] = licence.lower()
    elif licence != NOT_STATED:
        values |= {"license": "other", "license_name": config.licence}
    values |= {
        "library_name": "edgevoice",
        "pipeline_tag": "feature-extraction",
        "tags": ["audio", "speech", "autoencoder", "feature-extraction", "onnx", "streaming"],
    }
    if errors:
        name = "reconstruction of the standardised spectrogram, level"
        result = {
            "task": {"type": "feature-extraction"},
            "dataset": {"type": "held-out-speakers", "name": data or NOT_STATED},
            "metrics": [
                {"type": "mse", "name": f"{name} {level}", "value": float(f"{error:.4g}")} for level, error in errors.items()
            ],
        }
        values["model-index"] = [{"name": config.name, "results": [result]}]
    # JSON is YAML too; one key a line reads well enough, and needs no package.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(["---", *lines, "---"])


def _key(licence: str) -> str:
    return "".join(letter for letter in licence.lower() if letter.isalnum())
