from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.networks.cae import convolve_upsampled

SIZES = st.integers(1, 7)

# The keys of DisVoice 0.1.10's 256_CAE.pt and 256_RAE.pt.
NORM = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
CAE_KEYS = {
    *(f"{part}.conv{k}.weight" for part in ("encoder", "decoder") for k in range(1, 5)),
    *(f"encoder.bn{k}.{key}" for k in range(1, 5) for key in NORM),
    *(f"decoder.bn{k}.{key}" for k in range(1, 4) for key in NORM),
    *(f"{part}.linear.{key}" for part in ("encoder", "decoder") for key in ("weight", "bias")),
}
LSTM = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
RAE_KEYS = {
    *(f"encoder.lstm1.{key}_l0{way}" for key in LSTM for way in ("", "_reverse")),
    *(f"encoder.linear.{key}" for key in ("weight", "bias")),
    *(f"decoder.lstm.{key}_l{k}" for key in LSTM for k in (0, 1)),
}


@pytest.mark.parametrize(("arch", "keys"), [("cae", CAE_KEYS), ("rae", RAE_KEYS)])
def test_keys_are_disvoices(arch: str, keys: set[str]):
    assert set(ARCHITECTURES[arch].network(256).state_dict()) == keys


def test_pool_stands_before_batch_norm():
    """With negative scales the order of the two shows: DisVoice pools first."""
    encoder = ARCHITECTURES["cae"].network(64).encoder
    with torch.no_grad():
        encoder.bn1.weight.fill_(-1.0)
        x = torch.rand(2, 1, 128, 126)
        seen: list[torch.Tensor] = []
        encoder.bn1.register_forward_hook(lambda _module, given, _made: seen.append(given[0]))
        encoder(x)
    assert seen[0].shape == (2, 16, 64, 63)


@given(SIZES, SIZES, SIZES, SIZES, st.integers(0, 1), st.integers(0, 1))
def test_equals_upsampling_and_then_convolving(inputs: int, outputs: int, rows: int, columns: int, first: int, second: int):
    torch.manual_seed(0)
    image = torch.randn(2, inputs, rows, columns, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(inputs, outputs, 3, 3, dtype=torch.float64, requires_grad=True)
    padding = (first, second)
    found = convolve_upsampled(image, kernel, padding)
    wanted = functional.conv_transpose2d(functional.interpolate(image, scale_factor=2.0), kernel, padding=padding)
    torch.testing.assert_close(found, wanted)
    weight = torch.randn_like(wanted)
    for one, two in zip(
        torch.autograd.grad((found * weight).sum(), (image, kernel)),
        torch.autograd.grad((wanted * weight).sum(), (image, kernel)),
        strict=True,
    ):
        torch.testing.assert_close(one, two)


def test_cae_trains_what_it_evaluates():
    """With batch norms that do nothing, the two ways through the decoder differ by rounding only."""
    torch.manual_seed(0)
    decoder = ARCHITECTURES["cae"].network(64).get_submodule("decoder")
    for number in (1, 2, 3):
        setattr(decoder, f"bn{number}", torch.nn.Identity())
    bottleneck = torch.randn(3, 64)
    with torch.no_grad():
        torch.testing.assert_close(decoder.train()(bottleneck), decoder.eval()(bottleneck))
