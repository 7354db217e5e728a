"""Tells PyInstaller that a program which calls the command line needs all commands: each is imported when it is called."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("edgevoice.cli")
