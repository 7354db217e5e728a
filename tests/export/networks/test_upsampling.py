from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.networks.upsampling import convolve_upsampled

sizes = st.integers(1, 7)


@given(sizes, sizes, sizes, sizes, st.integers(0, 1), st.integers(0, 1))
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
