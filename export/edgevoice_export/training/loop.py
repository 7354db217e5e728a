"""Training of an autoencoder: one loop, read from top to bottom.

What is random in a step depends on the seed and the number of the step only, its learning rate on that number. A run that
was interrupted therefore continues from its checkpoint to the same weights.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevoice.errors import ArgumentError, EdgeVoiceError, ProviderError
from edgevoice_export.codes import WINDOWS_A_UNIT, cut, narrowed, settled
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.data.devicesampler import DeviceSampler
from edgevoice_export.data.sampler import Draw, WindowSampler
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.publish.plots import write_history
from edgevoice_export.training.runs import Checkpoint, Epoch, Run
from edgevoice_export.training.settings import Settings
from edgevoice_export.training.steps import Steps, batch_norms, device_batches, host_batches, reconstruction_loss
from edgevoice_export.training.weights import Weights, load_weights

CHECKPOINT, BEST = "checkpoint.pt", "best.pt"
_BEGINNING, _AT_ONCE = 1 << 15, 512
"""Windows at each level, at most, from which an architecture makes its first weights, and how many at a time."""


class DivergenceError(EdgeVoiceError, ArithmeticError):
    """The validation loss is not a number any more."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run."""

    step: int
    loss: float
    """Mean training loss since the last validation."""
    windows_per_second: float
    seconds_left: float
    history: list[Epoch]


def train(
    settings: Settings,
    corpus: Corpus,
    folder: Path,
    *,
    resume: bool = False,
    initial: Weights | None = None,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    checkpoint_steps: int = 500,
) -> bool:
    """Train, keeping `checkpoint.pt` (to go on from) and `best.pt` (lowest validation loss, its code settled) in a folder.

    Returns whether the run came to its end. With a contrast the last epoch is kept: what the contrast is for does not
    show in the reconstruction error. A run that begins with given weights validates them first, as epoch 0.

    Args:
        settings: what to train, and how.
        corpus: what to train on.
        folder: made where it is missing.
        resume: go on from the folder's checkpoint.
        initial: weights to begin with, of the same architecture and of as many units or more.
        device: `cpu` or `cuda`.
        report: called every few steps and after each validation.
        stopped: called after each step; if it returns True, a checkpoint is written and the run ends.
        checkpoint_steps: steps between two checkpoints.

    Raises:
        ArgumentError: nothing to resume, or it was begun with other settings or data; fewer than two speakers; norms to be
            fixed in a network that has none.
        DivergenceError: the validation loss is no longer a number.
        ModelConfigError: the initial weights do not fit.
        ProviderError: no CUDA device.
    """
    architecture = ARCHITECTURES[settings.arch]
    fitted, held_back = (corpus.recordings(utterances) for utterances in corpus.split(settings.validation, settings.seed))
    training, validation = (WindowSampler(each, architecture.preprocessing) for each in (fitted, held_back))
    held_out = {level: validation.grid(level, settings.validation_windows) for level in architecture.levels}
    if device == "cuda" and not torch.cuda.is_available():
        raise ProviderError("CUDA was asked for, but PyTorch finds no CUDA device")
    torch.backends.cudnn.benchmark = device == "cuda"  # one search, since all batches have one size
    network = _new_network(settings, None if resume else initial, training, fresh=not resume)
    # Channels last is twice as fast on CPUs with AVX-512, and is the layout of tensor cores.
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = _steps(network, settings, training, fitted)

    padded = corpus.shortest < architecture.preprocessing.audio.window
    run = Run(folder.name.removesuffix(".training"), settings, table=corpus.table is not None, pad=padded)
    earlier, step, history = initial.lineage if initial else (), 0, list[Epoch]()
    if resume:
        begun = _resumable(folder / CHECKPOINT, settings, corpus)
        run, earlier, step, history = begun.run, begun.earlier, begun.step, begun.history
        load_weights(network, begun.weights)
        steps.restore(begun.unfinished)
        if _stalled(history, settings.patience):
            return True
    folder.mkdir(parents=True, exist_ok=True)

    def validate(epoch: int, means: Mapping[str, float]) -> None:
        scores = {level: evaluate(network, validation, draw, settings) for level, draw in held_out.items()}
        seconds = spent + time.monotonic() - began if epoch else 0.0
        history.append(Epoch(epoch, means.get("loss"), scores, seconds, means.get("contrast")))
        write_history(folder, history)

    def keep(name: str, tensors: dict[str, Tensor], unfinished: dict[str, Any]) -> None:
        Checkpoint(run, earlier, corpus.digest, tensors, step, history, unfinished).write(folder / name)

    if initial is not None and not history:
        # Epoch 0 is the model that the run begins with: it shows whether adapting a model made it better.
        validate(0, {})
        keep(BEST, settled(architecture, _on_cpu(network), validation), {})
    began, first_step, spent = time.monotonic(), step, history[-1].seconds if history else 0.0

    while step < settings.steps:
        steps.take(step)
        step += 1
        epoch_ends = step % settings.epoch_steps == 0

        if epoch_ends:
            validate(step // settings.epoch_steps, steps.means())  # the means wait for all steps

        speed = (step - first_step) / max(time.monotonic() - began, 1e-9)
        left = (settings.steps - step) / speed
        if epoch_ends or step % steps.report_every == 0:
            report(Progress(step, steps.means()["loss"], speed * settings.batch, left, history))

        if epoch_ends:
            steps.forget()
            if not math.isfinite(history[-1].score):
                raise DivergenceError(f"training diverged in epoch {history[-1].epoch}: try a lower rate")
        if epoch_ends or stopped() or step % checkpoint_steps == 0:
            weights = _on_cpu(network)
            if epoch_ends and (settings.keeps_last or history[-1] is min(history, key=lambda epoch: epoch.score)):
                keep(BEST, settled(architecture, weights, validation), {})
            keep(CHECKPOINT, weights, steps.state())

        if epoch_ends and _stalled(history, settings.patience):
            return True
        if stopped():
            return step == settings.steps
    return True


def _new_network(settings: Settings, initial: Weights | None, windows: WindowSampler, *, fresh: bool) -> nn.Module:
    """The network before the first step, with the architecture's or initial weights; wider initial weights are narrowed."""
    architecture = ARCHITECTURES[settings.arch]
    torch.manual_seed(settings.seed)
    network = architecture.network(settings.units)
    if settings.fixed_norms and not any(True for _ in batch_norms(network)):
        raise ArgumentError(f"fixed-norms {settings.fixed_norms:g}: {settings.arch} has no batch norms")

    if initial is None:
        if architecture.begin and fresh:
            grids = [windows.grid(level, _BEGINNING) for level in architecture.levels]
            parts = (draw[k : k + _AT_ONCE] for draw in grids for k in range(0, len(draw), _AT_ONCE))
            architecture.begin(network, (torch.from_numpy(windows.spectrograms(part)) for part in parts))
        return network
    if initial.recovered and settings.fixed_norms < 1 and any(True for _ in batch_norms(network)):
        raise ArgumentError(
            f"{settings.init}: its weights come from its graphs, which lack batch norms' statistics: give --fixed-norms 1"
        )
    tensors = initial.tensors
    if initial.units > settings.units and initial.ordered:
        tensors = cut(architecture, tensors, settings.units)
    elif initial.units != settings.units:
        random = np.random.default_rng([settings.seed, 4])
        draw = windows.draw(WINDOWS_A_UNIT * initial.units, architecture.levels, 0.0, random)
        tensors = narrowed(architecture, tensors, settings.units, torch.from_numpy(windows.spectrograms(draw)))
    load_weights(network, tensors)
    return network


def _resumable(path: Path, settings: Settings, corpus: Corpus) -> Checkpoint:
    if not path.is_file():
        raise ArgumentError(f"{path}: there is no run to resume")
    begun = Checkpoint.read(path)
    if not begun.unfinished:
        raise ArgumentError(f"{path}: contains the best weights of a run, but not the state that is needed to resume it")
    before = dataclasses.asdict(begun.settings)
    now = dataclasses.asdict(settings).items()
    if changed := [f"{key} {before[key]} (now {value})" for key, value in now if before[key] != value]:
        raise ArgumentError(f"{path}: the run was begun with {', '.join(changed)}")
    if begun.data != corpus.digest:
        raise ArgumentError(f"{path}: the run was begun with other data")
    return begun


def _on_cpu(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.cpu().contiguous() for name, value in network.state_dict().items()}


def _steps(network: nn.Module, settings: Settings, windows: WindowSampler, recordings: Sequence[NDArray[np.int16]]) -> Steps:
    """What executes the steps, with the sampler that the settings name."""
    architecture = ARCHITECTURES[settings.arch]
    if settings.sampler == "host":
        return Steps(network, settings, host_batches(windows, architecture.levels, settings))
    device, coded = next(network.parameters()).device, "mp3" in settings.kinds
    sampler = DeviceSampler(
        recordings, architecture.preprocessing, architecture.levels, device, coded=coded, seed=settings.seed
    )
    compiled = device.type == "cuda" and architecture.compiled
    return Steps(network, settings, device_batches(sampler, settings), on_device=True, compiled=compiled)


@torch.inference_mode()
def evaluate(network: nn.Module, windows: WindowSampler, draw: Draw, settings: Settings) -> float:
    """Mean loss of a network in evaluation mode over drawn windows."""
    network.eval()
    device, total = next(network.parameters()).device, 0.0
    for first in range(0, len(draw), settings.batch):
        part = draw[first : first + settings.batch]
        spectrograms = torch.from_numpy(windows.spectrograms(part)).to(device, memory_format=torch.channels_last)
        reconstruction, _ = network(spectrograms)
        total += reconstruction_loss(settings.loss, reconstruction, spectrograms).item() * len(part)
    return total / len(draw)


def _stalled(history: Sequence[Epoch], patience: int) -> bool:
    """Whether the lowest validation loss is at least `patience` epochs old."""
    return 0 < patience <= len(history) - 1 - int(np.argmin([epoch.score for epoch in history]))
