"""Training of an autoencoder: one loop, read from top to bottom.

The window positions, levels and gains of a step, and the state of the random generators, follow from the seed and the
number of the step alone; the learning rate follows from the number of the step. So a run that was interrupted goes on
from its checkpoint to the same weights.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgevoice.errors import ArgumentError, EdgeVoiceError, ProviderError
from edgevoice.levels import LEVELS
from edgevoice_export.codes.narrowing import WINDOWS_A_UNIT, narrowed
from edgevoice_export.codes.scaling import bottleneck_sizes, scale_bottleneck
from edgevoice_export.codes.straightening import straightened
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.data.sampler import Draw, WindowSampler, split_speakers
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.training.consistency import Pairs, code_distance, with_twins
from edgevoice_export.training.history import write_history
from edgevoice_export.training.lineage import lineage_told, training_command
from edgevoice_export.training.optimisers import optimiser
from edgevoice_export.training.settings import Settings, listed
from edgevoice_export.training.weights import Weights, load_weights, read_checkpoint, write_checkpoint

CHECKPOINT, BEST = "checkpoint.pt", "best.pt"
_NEAR_ZERO = 1e-7
_SETTLED_ON = 1024  # windows


class DivergenceError(EdgeVoiceError, ArithmeticError):
    """The validation loss is no longer a number."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int
    """Steps done."""
    steps: int
    loss: float
    """Mean training loss since the last validation."""
    windows_per_second: float
    seconds_left: float
    history: list[dict[str, float]]
    """One row an epoch: epoch, training, one column a level, code_distance where consistency has a weight, seconds."""


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
    """Train, keeping `checkpoint.pt` (to go on from) and `best.pt` (lowest validation loss) in a folder.

    The bottleneck of `best.pt` is settled: numbers that are on by exception are made linear, all have sizes near 1.

    Args:
        settings: what to train, and how.
        corpus: what to train on.
        folder: made where it is missing.
        resume: go on from the folder's checkpoint.
        initial: weights to begin with, of the same architecture and of as many units or more.
        device: `cpu` or `cuda`.
        report: called after each step and each validation.
        stopped: asked after each step; when it says yes, a checkpoint is written and the run ends.
        checkpoint_steps: steps between two checkpoints.

    Returns:
        Whether the run came to its end.

    Raises:
        ArgumentError: nothing to resume, or it was begun with other settings or data; fewer than two speakers; norms to be
            fixed in a network that has none.
        DivergenceError: the validation loss is no longer a number.
        ModelConfigError: the initial weights do not fit.
        ProviderError: no CUDA device.
    """
    architecture = ARCHITECTURES[settings.arch]
    training, validation = (
        WindowSampler(corpus.recordings(utterances), architecture.preprocessing)
        for utterances in split_speakers(corpus.speakers, settings.validation, settings.seed)
    )
    held_out = {level: validation.grid(level, settings.validation_windows) for level in architecture.levels}

    if device == "cuda" and not torch.cuda.is_available():
        raise ProviderError("CUDA was asked for, but PyTorch finds no CUDA device")
    torch.manual_seed(settings.seed)
    network = architecture.network(settings.units)
    if settings.fixed_norms and not any(True for _ in _norms(network)):
        raise ArgumentError(f"fixed-norms {settings.fixed_norms:g}: {settings.arch} has no batch norms")
    if initial is not None and not resume:
        tensors = initial.tensors
        if initial.units != settings.units:
            random = np.random.default_rng([settings.seed, 4])
            draw = training.draw(WINDOWS_A_UNIT * initial.units, architecture.levels, 0.0, random)
            tensors = narrowed(architecture, tensors, settings.units, torch.from_numpy(training.spectrograms(draw)))
        load_weights(network, tensors)
    # Channels last is twice as fast on CPUs with AVX-512, and what tensor cores want.
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    stepper = optimiser(settings.optimiser, network, rate=settings.rate, decay=settings.decay)
    step, losses, distances, best, history = 0, [], [], math.inf, []
    lineage = lineage_told(initial.lineage if initial else ())
    command = training_command(settings, corpus, folder.name.removesuffix(".training"))
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        state = _resumable(folder / CHECKPOINT, settings, corpus)
        network.load_state_dict(state["weights"])
        stepper.load_state_dict(state["optimiser"])
        step, losses, distances = state["step"], state["losses"], state["distances"]
        best, history = state["best"], state["history"]
        lineage, command = state["lineage"], state["command"]
        if _stalled(history, settings.patience):
            return True

    def save(path: Path) -> None:
        content: dict[str, Any] = {
            "settings": dataclasses.asdict(settings),
            "data": corpus.digest,
            "lineage": lineage,
            "command": command,
            "weights": {name: value.cpu().contiguous() for name, value in network.state_dict().items()},
            "step": step,
            "history": history,
        }
        if path.name == CHECKPOINT:
            content |= {"optimiser": stepper.state_dict(), "losses": losses, "distances": distances, "best": best}
        elif architecture.code_rows:
            draw = validation.grid(architecture.levels[0], _SETTLED_ON)
            examples = torch.from_numpy(validation.spectrograms(draw))
            straight = straightened(architecture, content["weights"], examples)
            sizes = bottleneck_sizes(architecture, Weights(settings.arch, settings.units, straight).network(), examples)
            content["weights"] = scale_bottleneck(architecture, straight, sizes)
        write_checkpoint(path, content)

    def batches(first: int) -> Iterator[tuple[Tensor, Pairs | None]]:
        """Spectrograms of each step's windows, and which are twins if that counts; the next ones made in the background."""

        def make(step: int) -> tuple[Tensor, Pairs | None]:
            random = np.random.default_rng([settings.seed, 2, step])
            draw = training.draw(
                settings.batch, architecture.levels, settings.jitter_db, random, settings.augment, listed(settings.changes)
            )
            draw, pairs = with_twins(draw, listed(settings.consistent_under)) if settings.consistency else (draw, None)
            return torch.from_numpy(training.spectrograms(draw)), pairs

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(make, first)
            for later in range(first + 1, settings.steps + 1):
                batch = ahead.result()
                ahead = pool.submit(make, later)
                yield batch

    began, begun, spent = time.monotonic(), step, history[-1]["seconds"] if history else 0.0

    def tell() -> None:
        seconds = max(time.monotonic() - began, 1e-9)
        speed = (step - begun) / seconds
        left = (settings.steps - step) / speed if speed else math.inf
        mean = math.fsum(losses) / len(losses) if losses else math.nan
        report(Progress(step, settings.steps, mean, speed * settings.batch, left, history))

    for batch, pairs in batches(step):
        torch.manual_seed(int(np.random.default_rng([settings.seed, 3, step]).integers(2**62)))
        for group in stepper.param_groups:
            group["lr"] = settings.learning_rate(step)
        _set_training(network, norms=step < (1 - settings.fixed_norms) * settings.steps)
        spectrograms = batch.to(device, memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16, enabled=step < settings.bfloat16 * settings.steps):
            reconstruction, bottleneck = network(spectrograms)
        error = _loss(settings.loss, reconstruction.float(), spectrograms)
        loss = error
        if pairs is not None:
            distance = code_distance(bottleneck.float(), pairs)
            loss = error + settings.consistency * distance
            distances += [distance.item()] if len(pairs) else []
        stepper.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        stepper.step()
        _keep_scales_positive(network)
        losses.append(error.item())
        step += 1

        if step % settings.epoch_steps == 0:
            figures = {level: evaluate(network, validation, draw, settings, device) for level, draw in held_out.items()}
            row = {"epoch": step // settings.epoch_steps, "training": math.fsum(losses) / len(losses), **figures}
            if settings.consistency:
                row["code_distance"] = math.fsum(distances) / len(distances) if distances else math.nan
            history.append(row | {"seconds": spent + time.monotonic() - began})
            write_history(folder, history)
            tell()
            losses, distances = [], []
            score = math.fsum(figures.values()) / len(figures)
            if not math.isfinite(score):
                raise DivergenceError(f"training diverged in epoch {step // settings.epoch_steps}: try a lower rate")
            if score < best:
                best = score
                save(folder / BEST)
            save(folder / CHECKPOINT)
            if _stalled(history, settings.patience):
                return True
        else:
            tell()
            if stopped() or step % checkpoint_steps == 0:
                save(folder / CHECKPOINT)
        if stopped():
            return step == settings.steps
    return True


def _stalled(history: list[dict[str, float]], patience: int) -> bool:
    """Whether the lowest validation loss lies at least `patience` epochs back."""
    scores = [math.fsum(value for key, value in row.items() if key in LEVELS) for row in history]
    return 0 < patience <= len(scores) - 1 - int(np.argmin(scores))


@torch.inference_mode()
def evaluate(network: nn.Module, windows: WindowSampler, draw: Draw, settings: Settings, device: str = "cpu") -> float:
    """Mean loss of a network in evaluation mode over the windows of a draw."""
    network.eval()
    total = 0.0
    for first in range(0, len(draw), settings.batch):
        part = draw[first : first + settings.batch]
        spectrograms = torch.from_numpy(windows.spectrograms(part)).to(device, memory_format=torch.channels_last)
        reconstruction, _ = network(spectrograms)
        total += _loss(settings.loss, reconstruction, spectrograms).item() * len(part)
    return total / len(draw)


def _loss(kind: str, reconstruction: Tensor, spectrograms: Tensor) -> Tensor:
    if kind == "bce":
        # As Keras does: outputs that are not bound to 0..1 have no logarithm there.
        return functional.binary_cross_entropy(reconstruction.clamp(_NEAR_ZERO, 1 - _NEAR_ZERO), spectrograms)
    return functional.mse_loss(reconstruction, spectrograms)


def _set_training(network: nn.Module, *, norms: bool) -> None:
    """Put a network into training mode; batch norms take part with the statistics of the batch, or with those they have."""
    network.train()
    for norm in _norms(network):
        norm.train(norms)


@torch.no_grad()
def _keep_scales_positive(network: nn.Module) -> None:
    """Keep the scales of batch norms above zero: they then pass a max-pool, which the rewrites at export make use of."""
    for norm in _norms(network):
        norm.weight.clamp_(min=1e-3)


def _norms(network: nn.Module) -> Iterator[nn.BatchNorm2d]:
    return (module for module in network.modules() if isinstance(module, nn.BatchNorm2d))


def _resumable(path: Path, settings: Settings, corpus: Corpus) -> dict[str, Any]:
    if not path.is_file():
        raise ArgumentError(f"{path}: there is no run to resume")
    state = read_checkpoint(path)
    begun = dataclasses.asdict(Settings(**state["settings"]))
    changed = [key for key, value in dataclasses.asdict(settings).items() if begun[key] != value]
    if changed:
        changes = ", ".join(f"{key} {begun[key]} (now {getattr(settings, key)})" for key in changed)
        raise ArgumentError(f"{path}: the run was begun with {changes}")
    if state["data"] != corpus.digest:
        raise ArgumentError(f"{path}: the run was begun with other data")
    return state
