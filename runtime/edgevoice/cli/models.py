"""`edgevoice models`: what can be loaded by name."""

from __future__ import annotations

import json
from typing import Any

from edgevoice.cli.console import aligned, show
from edgevoice.cli.options import Listing, command
from edgevoice.modelfolder import CONFIG_FILE, ModelFolder, list_models, search_path

_EPILOG = """\
example:
  edgevoice models --json

Models are searched in the folders of EDGEVOICE_MODELS, in the user's data folder, and among those that come with EdgeVoice.
"""


def run(asked: Listing) -> int:
    """Print the models."""
    models = [as_record(folder) for folder in list_models()]
    if asked.json:
        show(json.dumps(models, indent=1))
    elif not models:
        show("No models. Searched: " + ", ".join(map(str, search_path())))
    else:
        rows = [["MODEL", "VERSION", "SIZE", "NUMBERS", "PATH", "SUMMARY"]]
        for model in models:
            size, numbers = f"{model['bytes'] / 1e6:.1f} MB", f"{model['bottleneck']} + {model['error']}"
            rows.append([model["name"], model["version"], size, numbers, model["path"], model["summary"]])
        show(aligned(rows))
    return 0


def as_record(folder: ModelFolder) -> dict[str, Any]:
    """The properties of a model that are known without loading it; `bytes` is the size of its files."""
    config = folder.config
    files = [folder.path / name for name in (CONFIG_FILE, *config.files)]
    return {
        "name": folder.path.name,
        "version": config.version,
        "licence": config.licence,
        "bytes": sum(file.stat().st_size for file in files if file.is_file()),
        "rate": config.audio.rate,
        "window": config.audio.window,
        "hop": config.audio.hop,
        "bottleneck": config.features.bottleneck,
        "error": config.features.error,
        "summary": config.summary,
        "path": str(folder.path),
    }


add = command("models", Listing, run, _EPILOG)
