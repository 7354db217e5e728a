"""One step of training: a batch, its loss, and the update of the weights.

Spectrograms are made by NumPy in the background (`host_batches`), or by PyTorch where the network is (`device_batches`). On
CUDA the whole step is then replayed as one graph: the processor only sets the number of the step.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgevoice_export.data.devicesampler import DeviceSampler, Plan
from edgevoice_export.data.sampler import WindowSampler
from edgevoice_export.training.optimisers import optimiser
from edgevoice_export.training.ordering import cut_codes
from edgevoice_export.training.settings import Settings

_WARM_UP = 3  # runs before a capture, in which libraries choose their kernels
_STILL = 1e-6  # added to the variance of numbers that do not vary
_NEAR_ZERO = 1e-7


class Batch(NamedTuple):
    """The input of one step."""

    spectrograms: Tensor
    """(n, 1, bands, columns)"""
    partners: Tensor
    """Rows of pairs of windows of one recording, int64 (pairs, 2)."""


Batches = Callable[[int], Batch]
"""The batch of a step, by its number."""


def host_batches(windows: WindowSampler, levels: tuple[str, ...], settings: Settings) -> Batches:
    """Batches by NumPy, each while the step before is computed; they depend on the seed and the number of the step only."""
    pool, ahead = ThreadPoolExecutor(1), dict[int, Future[Batch]]()

    def make(step: int) -> Batch:
        random = np.random.default_rng([settings.seed, 2, step])
        draw = windows.draw(settings.batch, levels, settings.jitter_db, random, settings.augment, settings.kinds)
        partners = np.empty((0, 2), np.int64)
        if settings.contrast:
            draw, partners = windows.with_partners(draw, random)
        return Batch(torch.from_numpy(windows.spectrograms(draw)), torch.from_numpy(partners))

    def batch(step: int) -> Batch:
        made = (ahead.pop(step, None) or pool.submit(make, step)).result()
        if step + 1 < settings.steps:
            ahead[step + 1] = pool.submit(make, step + 1)
        return made

    return batch


def device_batches(windows: DeviceSampler, settings: Settings) -> Batches:
    """Batches by PyTorch's generator of the device, of fixed shapes."""
    plan = Plan.of(settings.batch, settings.augment, settings.kinds, bool(settings.contrast))
    partners = torch.from_numpy(plan.pairs).to(windows.device)
    return lambda _step: Batch(windows.spectrograms(windows.draw(plan, settings.jitter_db)), partners)


class Steps:
    """Updates the weights of a network, which is on its device already, step by step.

    `on_device`: whether the batches are `device_batches`, so that steps on CUDA can be one graph.
    """

    def __init__(
        self, network: nn.Module, settings: Settings, batches: Batches, *, on_device: bool = False, compiled: bool = False
    ) -> None:
        self.network, self._settings, self._batches = network, settings, batches
        self._device = next(network.parameters()).device
        torch.manual_seed(settings.seed)
        if settings.ordered:
            cut_codes(network, settings.ordered)
        self.contrast: Contrast | None = None
        if settings.contrast:
            self.contrast = Contrast(settings.units, settings.projection, settings.temperature).to(self._device)
        in_graph = on_device and self._device.type == "cuda" and settings.optimiser == "adamw"
        self._stepper = optimiser(
            settings.optimiser, network, self.contrast, rate=settings.rate, decay=settings.decay, graph=in_graph
        )
        self._sums = torch.zeros(2, device=self._device, dtype=torch.float64)
        self._taken = 0
        self._compiled: nn.Module = torch.compile(network, dynamic=False) if compiled else network  # type: ignore[assignment]
        self._graphs: dict[tuple[bool, bool], Any] = {}
        self._stream: Any = torch.cuda.Stream() if in_graph else None  # type: ignore[no-untyped-call]
        self.report_every = 50 if in_graph else 1
        """Steps between two reports: reading a mean waits for the device."""

    def take(self, step: int) -> None:
        """Execute a step; everything random in it depends on the seed and the number of the step only."""
        settings = self._settings
        halved, norms_learn = (step < share * settings.steps for share in (settings.bfloat16, 1 - settings.fixed_norms))
        if self._stream is None:
            self._prepare(step)
            self._step(step, halved, norms_learn)
        else:
            if (halved, norms_learn) not in self._graphs:
                self._graphs[halved, norms_learn] = self._captured(step, halved, norms_learn)
            with torch.cuda.stream(self._stream):
                self._prepare(step)
                self._graphs[halved, norms_learn].replay()
        self._taken += 1

    def means(self) -> dict[str, float]:
        """Mean reconstruction error since `forget`, and contrast where it has a weight, after all steps are done."""
        if self._stream:
            self._stream.synchronize()
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

    def _prepare(self, step: int) -> None:
        """Set what is random, and the learning rate."""
        torch.manual_seed(int(np.random.default_rng([self._settings.seed, 3, step]).integers(2**62)))
        for group in self._stepper.param_groups:
            rate = self._settings.learning_rate(step) * group["scale"]
            if isinstance(group["lr"], Tensor):  # a graph reads it from there
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _step(self, step: int, halved: bool, norms_learn: bool) -> None:
        """Update the weights; with bfloat16 in the forward pass where it is halved."""
        settings, in_graph = self._settings, self._stream is not None
        self.network.train()
        for norm in batch_norms(self.network):
            norm.train(norms_learn)
        batch = self._batches(step)
        spectrograms = batch.spectrograms.to(self._device, memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=halved, cache_enabled=not in_graph):
            reconstruction, bottleneck = self._compiled(spectrograms)
        loss = error = reconstruction_loss(settings.loss, reconstruction.float(), spectrograms)
        contrast = error.new_zeros(())
        if self.contrast and len(batch.partners) > 1:
            contrast = self.contrast(bottleneck.float(), batch.partners)
            loss = loss + settings.contrast * contrast
        self._stepper.zero_grad(set_to_none=not in_graph)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self._stepper.step()
        with torch.no_grad():
            for norm in batch_norms(self.network):
                norm.weight.clamp_(min=1e-3)  # above zero, so that export can move it past a max-pool
            self._sums += torch.stack([error, contrast]).detach()

    def _captured(self, step: int, halved: bool, norms_learn: bool) -> Any:
        """Capture one step as a CUDA graph; weights and the state of the optimiser do not change."""
        self._stream.synchronize()
        self._stream.wait_stream(torch.cuda.current_stream())
        modules = [self.network, *([self.contrast] if self.contrast else [])]
        weights = [copy.deepcopy(module.state_dict()) for module in modules]
        moments = copy.deepcopy(self._stepper.state_dict()["state"])
        sums = self._sums.clone()
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UP):
                self._step(step, halved, norms_learn)
            self._stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self._stream):
                self._step(step, halved, norms_learn)
            for module, kept in zip(modules, weights, strict=True):
                module.load_state_dict(kept)
            # In their tensors, where a captured graph reads them; zeros where there were none.
            for number, values in self._stepper.state_dict()["state"].items():
                for name, value in values.items():
                    value.copy_(moments[number][name]) if number in moments else value.zero_()
            self._sums.copy_(sums)
        self._stream.synchronize()
        return graph


def batch_norms(network: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """The batch norms of a network."""
    return (module for module in network.modules() if isinstance(module, nn.BatchNorm2d))


def reconstruction_loss(kind: str, reconstruction: Tensor, spectrograms: Tensor) -> Tensor:
    """Mean loss of a reconstruction: `mse` the squared difference, `bce` the binary cross entropy."""
    if kind == "bce":
        # As Keras does: outputs that are not bound to 0..1 have no logarithm there. A loud tone may be above 1.
        return functional.binary_cross_entropy(reconstruction.clamp(_NEAR_ZERO, 1 - _NEAR_ZERO), spectrograms.clamp(0, 1))
    return functional.mse_loss(reconstruction, spectrograms)


class Contrast(nn.Module):
    """InfoNCE of pairs of codes, in both directions: a term of the loss that a run may weight.

    A low reconstruction error does not make a code say more about who speaks. So the code of each window of a pair must find
    the other one among all windows of the batch (A. van den Oord et al., "Representation learning with contrastive
    predictive coding", arXiv:1807.03748, 2018), behind a projection of `size` numbers that is thrown away after training (T.
    Chen et al., "A simple framework for contrastive learning of visual representations", ICML 2020: the temperature too).
    """

    def __init__(self, units: int, size: int = 64, temperature: float = 0.1) -> None:
        super().__init__()
        self.projection = nn.Linear(units, size, bias=False)
        self._temperature = temperature

    def forward(self, bottleneck: Tensor, pairs: Tensor) -> Tensor:
        """The mean cross entropy in nats, of codes (n, units) and rows of the two windows of each pair, int64 (pairs, 2)."""
        # The variance is part of the gradient, so that a smaller code is not closer.
        variance, mean = torch.var_mean(bottleneck, dim=0, correction=0)
        standardised = (bottleneck - mean) / (variance + _STILL * variance.mean()).sqrt()
        projected = functional.normalize(self.projection(standardised), dim=1)
        cosines = projected[pairs[:, 0]] @ projected[pairs[:, 1]].T / self._temperature
        own = torch.arange(len(pairs), device=cosines.device)
        return (functional.cross_entropy(cosines, own) + functional.cross_entropy(cosines.T, own)) / 2
