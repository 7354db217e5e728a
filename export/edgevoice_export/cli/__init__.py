"""The command `edgevoice-export`, with one module per subcommand."""

from __future__ import annotations

from edgevoice import cli

TYPE_CHECKING = False  # replaces typing's: what this module imports is loaded before Ctrl-C can be handled
if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "train": "train a network on a folder of audio",
    "retrain": "train a model again, with all the runs that led to it",
    "export": "convert a checkpoint to a model folder",
    "verify": "compare PyTorch and ONNX Runtime",
    "drift": "measure how far features move from one model to another",
    "compact": "read a model's large matrices in 8 bits",
    "pcm": "convert a model to one portable file: samples in, descriptors out",
    "live": "convert a model to one file that follows a source: samples and state in, frames out",
    "import-disvoice": "convert DisVoice's published weights",
}
"""Every subcommand, each the module of its name, and what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: see `edgevoice-export --help`."""
    description = "Train, convert and verify EdgeVoice's models."
    return cli.run("edgevoice-export", description, __name__, COMMANDS, arguments=arguments)
