from __future__ import annotations

import pytest
import torch

from edgevoice_export.networks import ARCHITECTURES

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
