"""How PyInstaller freezes a program that uses EdgeVoice: it finds this folder by an entry point of the package."""

from __future__ import annotations


def hook_folders() -> list[str]:
    """The folders that hold hooks."""
    return list(__path__)
