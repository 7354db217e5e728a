"""Model folders: found by name or path, listed, verified."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgevoice.audio.folders import is_file
from edgevoice.config import ModelConfig
from edgevoice.errors import ArgumentError, ModelError, ModelFilesError, ModelNotFoundError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

CONFIG_FILE = "model.json"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder with `encoder.onnx`, `decoder.onnx`, `model.json` and, where it has one, `frontend.onnx`."""

    path: Path
    config: ModelConfig

    @classmethod
    def open(cls, path: str | Path) -> ModelFolder:
        """Read the configuration of the folder at `path`.

        Raises:
            ModelNotFoundError: there is no such folder, or it has no `model.json`.
            ModelConfigError: its `model.json` is not what the format allows.
        """
        folder = Path(path).absolute()  # another process, or this one later, may be in another folder
        if not is_file(folder / CONFIG_FILE):
            raise ModelNotFoundError(f"{folder}: not a model folder (it has no {CONFIG_FILE})")
        return cls(folder, ModelConfig.read(folder / CONFIG_FILE))

    def locate(self, name: str) -> Path:
        """Find a file, after its bytes were compared with the digest in `model.json`.

        Raises:
            ModelFilesError: the file is missing, unreadable or altered.
        """
        path = self.path / name
        if not is_file(path):  # a pipe would be waited for
            raise ModelFilesError(f"{path}: cannot be read ({'no regular file' if path.exists() else 'it is missing'})")
        try:
            with path.open("rb") as file:
                digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        except OSError as error:
            raise ModelFilesError(f"{path}: cannot be read ({error.strerror})") from error
        if digest != {**self.config.files, **self.config.training}.get(name):
            raise ModelFilesError(
                f"{path}: is not the file that {CONFIG_FILE} lists (its {digest} differs): download the model again, or run "
                "`git lfs pull` where the repository keeps large files that way"
            )
        return path

    def read(self, name: str) -> bytes:
        """Read a file, with the same checks and errors."""
        return self.locate(name).read_bytes()

    def verify(self) -> None:
        """Check all listed files, those for training where they exist; errors as `locate`."""
        for name in (*self.config.files, *(name for name in self.config.training if is_file(self.path / name))):
            self.locate(name)


def search_path() -> list[Path]:
    """Folders that are searched, in order: those of EDGEVOICE_MODELS, the user's, and that of the shipped models."""
    folders = [Path(entry) for entry in os.environ.get("EDGEVOICE_MODELS", "").split(os.pathsep) if entry]
    # A user without a home folder, as in containers, has no models there.
    with contextlib.suppress(RuntimeError):
        folders.append(user_models())
    return [*folders, shipped_models()]


def user_models() -> Path:
    """The folder for the user's own model folders, by the convention of the platform.

    Raises:
        RuntimeError: the user has no home folder.
    """
    own = {"darwin": ("", "Library/Application Support"), "win32": ("LOCALAPPDATA", "AppData/Local")}
    variable, folder = own.get(sys.platform, ("XDG_DATA_HOME", ".local/share"))
    return Path(os.environ.get(variable) or Path.home() / folder) / "edgevoice" / "models"


def shipped_models() -> Path:
    """The folder with the models that come with EdgeVoice: in the package, or in a checkout at its root."""
    package = Path(__file__).resolve().parent
    checkout = package.parents[1]
    if package.parent.name == "runtime" and (checkout / "pyproject.toml").is_file():
        return checkout / "models"
    return package / "models"


def find_model(model: str | os.PathLike[str] | ModelFolder | Traversable) -> ModelFolder:
    """Find a model folder by its name in `search_path()`, by its path, or as a resource of a package.

    Raises:
        ModelNotFoundError: there is none; the message lists those there are, and the folders that were searched.
        ModelConfigError, ModelFilesError: its `model.json` is not what the format allows, or cannot be read.
    """
    if isinstance(model, ModelFolder):
        return model
    if not isinstance(model, str | os.PathLike):
        return ModelFolder.open(_unpacked(model))
    name = os.fspath(model)
    places = [Path(name)] if name else []
    if isinstance(model, str) and Path(name).name == name and name not in {"", ".", ".."}:
        places = [*(folder / name for folder in search_path()), *places]
    for place in places:
        if is_file(place / CONFIG_FILE):
            return ModelFolder.open(place)
    known = ", ".join(sorted({folder.path.name for folder in list_models()})) or "none"
    searched = ", ".join(map(str, search_path()))
    raise ModelNotFoundError(f"no model {name!r}, by name or path; known models: {known}; searched: {searched}")


def _unpacked(resource: Traversable) -> Path:
    """Copy a resource that is not in the file system, such as one in a zip file, until the process ends."""
    import shutil  # loaded here: most programs have their models in the file system
    import tempfile

    if not hasattr(resource, "iterdir"):
        raise ArgumentError(f"model {resource!r}: expected a name, a path, a ModelFolder or a resource of a package")
    if not resource.is_dir():
        raise ModelNotFoundError(f"{resource}: no model folder")
    folder = Path(tempfile.mkdtemp(prefix="edgevoice-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for file in (entry for entry in resource.iterdir() if entry.is_file()):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def list_models() -> list[ModelFolder]:
    """All readable model folders in `search_path()`, sorted by name; of equal names, the first."""
    found: dict[str, ModelFolder] = {}
    for folder in search_path():
        with contextlib.suppress(OSError):
            for path in folder.glob(f"*/{CONFIG_FILE}"):
                if path.parent.name not in found:
                    with contextlib.suppress(ModelError):
                        found[path.parent.name] = ModelFolder.open(path.parent)
    return [found[name] for name in sorted(found)]
