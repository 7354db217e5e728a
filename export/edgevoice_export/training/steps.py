"""One step of training: a batch, its loss, and the update of the weights.

`HostSteps` takes spectrograms that NumPy made in the background. `DeviceSteps` makes them where the network is, with
PyTorch, and on CUDA replays the whole step as one graph: the processor then only sets the number of the step.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevoice_export.data.devicesampler import DeviceSampler, Plan
from edgevoice_export.data.sampler import WindowSampler
from edgevoice_export.training.optimisers import optimiser
from edgevoice_export.training.ordering import cut_codes
from edgevoice_export.training.settings import Settings, listed
from edgevoice_export.training.terms import Contrast, Pairs, reconstruction_loss

_WARM_UP = 3  # runs before a capture, in which libraries choose their kernels


class Batch(NamedTuple):
    """The input of one step."""

    spectrograms: Tensor
    """(n, 1, bands, columns)"""
    partners: Pairs
    """Rows of pairs of windows of one recording, (pairs, 2)."""


def batches(windows: WindowSampler, levels: tuple[str, ...], settings: Settings, first: int) -> Iterator[Batch]:
    """The batches from step `first` to the last one; each depends on the seed and the number of the step only."""

    def make(step: int) -> Batch:
        random = np.random.default_rng([settings.seed, 2, step])
        draw = windows.draw(settings.batch, levels, settings.jitter_db, random, settings.augment, listed(settings.changes))
        partners: NDArray[np.int64] = np.empty((0, 2), np.int64)
        if settings.contrast:
            draw, partners = windows.with_partners(draw, random)
        return Batch(torch.from_numpy(windows.spectrograms(draw)), partners)

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(make, first)
        for later in range(first + 1, settings.steps + 1):
            batch = ahead.result()
            ahead = pool.submit(make, later)
            yield batch


class Steps(ABC):
    """Updates the weights of a network, step by step.

    Args:
        network: on its device already.
        settings: what to train, and how.
    """

    def __init__(self, network: nn.Module, settings: Settings) -> None:
        self.network, self._settings = network, settings
        self._device = next(network.parameters()).device
        torch.manual_seed(settings.seed)
        if settings.ordered:
            cut_codes(network, settings.ordered)
        self.contrast: Contrast | None = None
        if settings.contrast:
            self.contrast = Contrast(settings.units, settings.projection, settings.temperature).to(self._device)
        self._stepper = optimiser(
            settings.optimiser, network, self.contrast, rate=settings.rate, decay=settings.decay, graph=self._in_graph
        )
        self._sums = torch.zeros(2, device=self._device, dtype=torch.float64)
        self._taken = 0

    @property
    def _in_graph(self) -> bool:
        """Whether steps are captured in a CUDA graph, so that the optimiser must read its rate from the device."""
        return False

    @property
    def report_every(self) -> int:
        """Steps between two reports: reading a mean waits for the device."""
        return 50 if self._in_graph else 1

    @abstractmethod
    def take(self, step: int) -> None:
        """Execute a step; everything random in it depends on the seed and the number of the step only."""

    def means(self) -> dict[str, float]:
        """Mean reconstruction error since `forget`, and contrast where it has a weight."""
        loss, contrast = (self._sums / max(1, self._taken)).tolist()
        return {"loss": loss, **({"contrast": contrast} if self.contrast else {})}

    def forget(self) -> None:
        """Reset the means."""
        self._sums.zero_()
        self._taken = 0

    def state(self) -> dict[str, Any]:
        """The state needed to resume, apart from the weights of the network."""
        contrast = self.contrast.state_dict() if self.contrast else {}
        sums = self._sums.cpu().clone()
        return {"optimiser": self._stepper.state_dict(), "contrast": contrast, "sums": sums, "taken": self._taken}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self._stepper.load_state_dict(state["optimiser"])
        if self.contrast:
            self.contrast.load_state_dict(state["contrast"])
        self._sums.copy_(state["sums"])
        self._taken = state["taken"]

    def _seed(self, step: int) -> None:
        torch.manual_seed(int(np.random.default_rng([self._settings.seed, 3, step]).integers(2**62)))

    def _set_rate(self, step: int) -> None:
        for group in self._stepper.param_groups:
            rate = self._settings.learning_rate(step) * group["scale"]
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _norms_learn(self, step: int) -> bool:
        return step < (1 - self._settings.fixed_norms) * self._settings.steps

    def _halved(self, step: int) -> bool:
        return step < self._settings.bfloat16 * self._settings.steps

    def _move(self, network: nn.Module, spectrograms: Tensor, halved: bool, partners: Pairs) -> None:
        """Update the weights with one batch.

        Args:
            network: the network, or a compiled one.
            spectrograms: (n, 1, bands, columns).
            halved: whether the forward pass runs in bfloat16.
            partners: rows of pairs of windows of one recording, (pairs, 2).
        """
        settings = self._settings
        with torch.autocast(self._device.type, torch.bfloat16, enabled=halved, cache_enabled=not self._in_graph):
            reconstruction, bottleneck = network(spectrograms)
        loss = error = reconstruction_loss(settings.loss, reconstruction.float(), spectrograms)
        contrast = error.new_zeros(())
        if self.contrast and len(partners) > 1:
            contrast = self.contrast(bottleneck.float(), partners)
            loss = loss + settings.contrast * contrast
        self._stepper.zero_grad(set_to_none=not self._in_graph)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self._stepper.step()
        with torch.no_grad():
            keep_scales_positive(self.network)
            self._sums += torch.stack([error, contrast]).detach()


class HostSteps(Steps):
    """Steps with spectrograms that NumPy computes, the next batch in the background."""

    def __init__(self, network: nn.Module, settings: Settings, windows: WindowSampler, levels: tuple[str, ...]) -> None:
        super().__init__(network, settings)
        self._windows, self._levels = windows, levels
        self._batches: Iterator[Any] | None = None

    def take(self, step: int) -> None:
        """Execute a step."""
        self._batches = self._batches or batches(self._windows, self._levels, self._settings, first=step)
        batch = next(self._batches)
        self._seed(step)
        self._set_rate(step)
        set_training(self.network, norms=self._norms_learn(step))
        spectrograms = batch.spectrograms.to(self._device, memory_format=torch.channels_last)
        self._move(self.network, spectrograms, self._halved(step), batch.partners)
        self._taken += 1


class DeviceSteps(Steps):
    """Steps with spectrograms that are computed on the device of the network."""

    def __init__(self, network: nn.Module, settings: Settings, windows: DeviceSampler, *, compiled: bool = False) -> None:
        super().__init__(network, settings)
        self._windows = windows
        changes = listed(settings.changes) if settings.augment else ()
        self._plan = Plan.of(settings.batch, settings.augment, changes, bool(settings.contrast))
        self._partners: Pairs = torch.from_numpy(self._plan.pairs).to(self._device)
        self._network: nn.Module = torch.compile(network, dynamic=False) if compiled else network  # type: ignore[assignment]
        self._graphs: dict[tuple[bool, bool], Any] = {}
        self._stream: Any = torch.cuda.Stream() if self._in_graph else None  # type: ignore[no-untyped-call]

    @property
    def _in_graph(self) -> bool:
        return self._device.type == "cuda" and self._settings.optimiser == "adamw"

    def take(self, step: int) -> None:
        """Execute a step."""
        kind = (self._halved(step), self._norms_learn(step))
        if self._stream is None:
            self._seed(step)
            self._set_rate(step)
            self._step(*kind)
        else:
            if kind not in self._graphs:
                self._graphs[kind] = self._captured(*kind)
            with torch.cuda.stream(self._stream):
                self._seed(step)
                self._set_rate(step)
                self._graphs[kind].replay()
        self._taken += 1

    def means(self) -> dict[str, float]:
        """As `Steps.means`, after all steps are done."""
        if self._stream:
            self._stream.synchronize()
        return super().means()

    def _step(self, halved: bool, norms_learn: bool) -> None:
        set_training(self.network, norms=norms_learn)
        with torch.no_grad():
            spectrograms = self._windows.spectrograms(self._windows.draw(self._plan, self._settings.jitter_db))
            spectrograms = spectrograms.contiguous(memory_format=torch.channels_last)
        self._move(self._network, spectrograms, halved, self._partners)

    def _captured(self, halved: bool, norms_learn: bool) -> Any:
        """Capture one step as a CUDA graph; weights and the state of the optimiser do not change."""
        self._stream.synchronize()
        self._stream.wait_stream(torch.cuda.current_stream())
        modules = [self.network, *([self.contrast] if self.contrast else [])]
        weights = [copy.deepcopy(module.state_dict()) for module in modules]
        moments = copy.deepcopy(self._stepper.state_dict()["state"])
        sums = self._sums.clone()
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UP):
                self._step(halved, norms_learn)
            self._stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self._stream):
                self._step(halved, norms_learn)
            for module, kept in zip(modules, weights, strict=True):
                module.load_state_dict(kept)
            self._restore_moments(moments)
            self._sums.copy_(sums)
        self._stream.synchronize()
        return graph

    def _restore_moments(self, kept: dict[int, dict[str, Tensor]]) -> None:
        """Restore the state of the optimiser in its tensors, where a captured graph reads it; zeros where there was none."""
        now = self._stepper.state_dict()["state"]
        for number, values in now.items():
            for name, value in values.items():
                if number in kept:
                    value.copy_(kept[number][name])
                else:
                    value.zero_()


def set_training(network: nn.Module, *, norms: bool) -> None:
    """Put a network into training mode. Batch norms use the statistics of the batch, or their stored ones."""
    network.train()
    for norm in batch_norms(network):
        norm.train(norms)


@torch.no_grad()
def keep_scales_positive(network: nn.Module) -> None:
    """Keep the scales of batch norms above zero, so that export can move them past a max-pool."""
    for norm in batch_norms(network):
        norm.weight.clamp_(min=1e-3)


def batch_norms(network: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """The batch norms of a network."""
    return (module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
