"""What hatchling asks this project when it builds: where the project is published."""

from __future__ import annotations

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ProjectUrls(MetadataHookInterface):
    """`[project.urls]` of the repository that builds the package, from the environment variable `EDGEVOICE_REPOSITORY`.

    The workflow that releases sets it (`https://HOST/OWNER/NAME`), so that a fork's packages name the fork. Without it, as
    in a build by hand, the package names no address.
    """

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Complete the metadata that pyproject.toml calls dynamic."""
        repository = os.environ.get("EDGEVOICE_REPOSITORY", "").rstrip("/")
        if not repository:
            metadata["urls"] = {}
            return
        metadata["urls"] = {
            "Repository": repository,
            "Issues": f"{repository}/issues",
            "Changelog": f"{repository}/blob/main/CHANGELOG.md",
            "Documentation": f"{repository}/tree/main/docs",
        }
