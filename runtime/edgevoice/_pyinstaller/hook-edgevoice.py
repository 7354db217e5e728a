"""Tells PyInstaller which parts of EdgeVoice a frozen program needs: modules that are imported on first use, and models.

All shipped models are taken, or those that a spec file names:

a = Analysis(["app.py"], hooksconfig={"edgevoice": {"models": ["cae-64"]}})
"""

from PyInstaller.utils.hooks import collect_submodules, get_hook_config

from edgevoice.modelfolder import CONFIG_FILE, find_model, shipped_models

# Programs call the extractor, streams and microphones; the command line is a program of its own.
_LEFT_OUT = ("edgevoice._pyinstaller", "edgevoice.cli", "edgevoice.bench", "edgevoice.compat", "edgevoice.plotting")

hiddenimports = [
    *collect_submodules("edgevoice", filter=lambda name: not name.startswith(_LEFT_OUT)),
    "soundfile",
    "soxr",
]

# What single functions load, if it is installed. A program that uses them imports them itself, and has them then.
excludedimports = [
    *("audformat", "audinterface", "av", "dask", "distributed", "matplotlib", "onnx", "opensmile", "pandas", "pyarrow"),
    *("scipy", "sklearn", "torch", "tqdm"),
]


def hook(hook_api: object) -> None:
    """Collect the files that are needed to run the models, without training weights and pictures."""
    names = get_hook_config(hook_api, "edgevoice", "models")
    if names is None:
        names = sorted(path.parent.name for path in shipped_models().glob(f"*/{CONFIG_FILE}"))
    data = []
    for name in names:
        folder = find_model(name)
        files = (CONFIG_FILE, "README.md", *folder.config.files)
        data += [(str(folder.path / file), f"edgevoice/models/{folder.path.name}") for file in files]
    hook_api.add_datas(data)
