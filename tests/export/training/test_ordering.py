from __future__ import annotations

import torch

from edgevoice_export.networks.architecture import Autoencoder
from edgevoice_export.training.ordering import FEWEST, cut_codes

UNITS, WINDOWS = 64, 2000


def lengths(share: float, *, training: bool = True) -> torch.Tensor:
    """How many numbers of each code the decoder gets."""
    torch.manual_seed(0)
    network = Autoencoder(torch.nn.Identity(), torch.nn.Identity()).train(training)
    cut_codes(network, share)
    codes = torch.ones(WINDOWS, UNITS)
    seen, whole = network(codes)
    assert torch.equal(whole, codes)
    count = seen.sum(dim=1).long()
    assert torch.equal(seen, (torch.arange(UNITS) < count[:, None]).float())
    return count


def test_a_share_of_the_codes_is_cut_anywhere_from_the_fewest_on() -> None:
    count = lengths(0.5)
    assert abs((count < UNITS).float().mean() - 0.5) < 0.05
    assert set(range(FEWEST, UNITS)) <= set(count.tolist())
    assert count.min() == FEWEST
    doublings = [((count >= low) & (count < 2 * low)).sum().item() for low in (8, 16, 32)]
    assert max(doublings) < 1.3 * min(doublings)


def test_whole_codes() -> None:
    assert (lengths(0.0) == UNITS).all()
    assert (lengths(1.0, training=False) == UNITS).all()
