from __future__ import annotations

import torch

from edgevoice_export.publish.export import rounded


def test_large_matrices_become_numbers_of_float16_and_all_else_stays():
    torch.manual_seed(0)
    tensors = {
        "linear.weight": torch.randn(64, 128),
        "linear.bias": torch.randn(8192),
        "conv.weight": torch.randn(64, 64, 3, 3),
        "small.weight": torch.randn(8, 8),
        "large.numbers": torch.randn(64, 128) * 1e6,
        "small.numbers": torch.randn(64, 128) * 1e-8,
    }
    result = rounded(tensors)
    assert torch.equal(result["linear.weight"], tensors["linear.weight"].half().float())
    assert not torch.equal(result["linear.weight"], tensors["linear.weight"])
    for name in tensors.keys() - {"linear.weight"}:
        assert result[name] is tensors[name], name


def test_no_weight_moves_by_more_than_one_part_in_2048():
    weights = torch.linspace(-3, 3, 8192).view(64, 128)
    moved = (rounded({"w": weights})["w"] - weights).abs()
    assert (moved <= weights.abs() / 2048 + 2.0**-25).all()
