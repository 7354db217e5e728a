"""The sampler on the device against NumPy's, for the same draws."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError
from edgevoice_export.data.devicechanges import DEVICE_CHANGES, DeviceChange
from edgevoice_export.data.devicesampler import DeviceDraw, DeviceSampler, Plan
from edgevoice_export.data.sampler import Draw, WindowSampler
from edgevoice_export.networks import ARCHITECTURES

LEVELS = ("running", "utterance", "window")
CHANGES = tuple(DEVICE_CHANGES)


def _speech(seconds: float, seed: int) -> NDArray[np.int16]:
    """Something with the dynamics of speech: bursts of filtered noise over a low floor, with an offset."""
    random = np.random.default_rng(seed)
    count = int(16000 * seconds)
    tone = np.convolve(random.standard_normal(count), np.hanning(random.integers(4, 40)), "same")
    bursts = np.repeat(random.random(count // 1600 + 1) ** 3, 1600)[:count]
    return (tone * (bursts + 1e-3) * 400 + random.integers(-200, 200)).clip(-32768, 32767).astype(np.int16)


RECORDINGS = [_speech(seconds, seed) for seed, seconds in enumerate((0.3, 0.5, 1.23, 3.0, 4.01))]


def _as_numpy_draws(kind: str, seeds: list[int], samples: int) -> DeviceChange:
    """The parameters that NumPy's functions draw from these seeds."""
    rows = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        if kind == "noise":
            rows.append([random.standard_normal(samples), random.uniform(0, 1), random.uniform(25, 55)])
        elif kind == "coarse":
            rows.append([random.uniform(-3, 17)])
        else:
            high, order = np.exp(random.uniform(np.log(1500), np.log(7500))), random.integers(4, 13)
            cut, low, steep = random.uniform(1.05, 1.5), 0.0, 1
            if random.random() < 0.5:
                low, steep = np.exp(random.uniform(np.log(50), np.log(500))), random.integers(1, 5)
            rows.append([high, order, cut, low, steep, random.uniform(0, 6)])
    columns = (np.array(column, np.float32).reshape(len(seeds), -1) for column in zip(*rows, strict=True))
    return DEVICE_CHANGES[kind](*map(torch.from_numpy, columns))


def _on_device(draw: Draw, samples: int) -> DeviceDraw:
    rows = {kind: [k for k, change in enumerate(draw.changes) if change and change.kind == kind] for kind in CHANGES}
    changes = [
        (torch.tensor(places), _as_numpy_draws(kind, [draw.changes[k].seed for k in places], samples))
        for kind, places in rows.items()
        if places
    ]
    return DeviceDraw(
        torch.from_numpy(draw.recordings),
        torch.from_numpy(draw.starts),
        torch.tensor([LEVELS.index(level) for level in draw.levels]),
        torch.from_numpy(draw.gains.astype(np.float32)),
        changes,
    )


@pytest.mark.parametrize("architecture", ["cae", "lamprou"])
@pytest.mark.parametrize("augment", [0.0, 0.9])
def test_the_same_draws_give_numpys_spectrograms(architecture: str, augment: float):
    preprocessing = ARCHITECTURES[architecture].preprocessing
    recordings = [np.tile(samples, 3) for samples in RECORDINGS]
    host = WindowSampler(recordings, preprocessing)
    device = DeviceSampler(recordings, preprocessing, LEVELS, "cpu")
    draw = host.draw(96, LEVELS, 1.0, np.random.default_rng(1), augment, CHANGES)
    found = device.spectrograms(_on_device(draw, preprocessing.audio.window)).numpy()
    difference = np.abs(found - host.spectrograms(draw))
    assert found.shape == (96, 1, *preprocessing.shape)
    # A number that lies on the border of two steps of the quantiser may fall on either side of it.
    coarse = np.array([change is not None and change.kind == "coarse" for change in draw.changes])
    assert difference[~coarse].max() < 1e-4
    assert np.quantile(difference, 0.999) < 1e-4


def test_draws_are_uniform_over_all_places():
    preprocessing = ARCHITECTURES["cae"].preprocessing
    sampler = DeviceSampler(RECORDINGS, preprocessing, LEVELS, "cpu")
    torch.manual_seed(0)
    draw = sampler.draw(Plan.of(20_000, 0.0, ()), 1.0)
    spans = np.array([max(len(samples), 8000) - 8000 + 1 for samples in RECORDINGS])
    share = np.bincount(draw.recordings, minlength=len(spans)) / 20_000
    np.testing.assert_allclose(share, spans / spans.sum(), atol=0.015)
    assert (draw.starts.numpy() >= 0).all()
    assert (draw.starts.numpy() < spans[draw.recordings.numpy()]).all()
    assert abs(20 * np.log10(draw.gains.numpy())).max() <= 1.0
    assert set(draw.levels.tolist()) == {0, 1, 2}


@pytest.mark.parametrize(("batch", "share"), [(6, 1.0), (32, 0.05)])
def test_a_share_that_no_batch_has_is_refused(batch: int, share: float):
    with pytest.raises(ArgumentError):
        Plan.of(batch, share, ("band", "coarse", "mp3", "noise"))


def test_partners_are_of_the_same_recording():
    sampler = DeviceSampler(RECORDINGS, ARCHITECTURES["cae"].preprocessing, LEVELS, "cpu")
    plan = Plan.of(64, 0.3, ("coarse", "noise", "band"), partners=True)
    draw = sampler.draw(plan, 1.0)
    assert plan.kinds == (("coarse", slice(0, 6)), ("noise", slice(6, 12)), ("band", slice(12, 18)))
    first, second = plan.pairs.T
    assert (draw.recordings[first] == draw.recordings[second]).all()
    assert (draw.starts[first] != draw.starts[second]).any()
    assert torch.isfinite(sampler.spectrograms(draw)).all()


def test_coded_windows_come_from_copies_that_went_through_mp3():
    recordings = [np.tile(RECORDINGS[3], 2)]
    sampler = DeviceSampler(recordings, ARCHITECTURES["cae"].preprocessing, LEVELS, "cpu", coded=True)
    draw = sampler.draw(Plan.of(16, 0.5, ("mp3",)), 0.0)
    assert draw.coded == slice(0, 8)
    changed = sampler.spectrograms(draw)
    draw.coded = None
    difference = (changed - sampler.spectrograms(draw)).abs().amax((1, 2, 3))
    assert (difference[:8] > 0.01).all()
    assert (difference[8:] == 0).all()
