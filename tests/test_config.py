"""model.json: round trip, strictness, fuzzing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice import ModelConfig, ModelConfigError, ModelFilesError
from tinymodel import settings as tiny_settings

DIGEST = "sha256:" + "0" * 64
FILES = {"encoder.onnx": DIGEST, "decoder.onnx": DIGEST}


def changed(path: str, value: Any) -> dict[str, Any]:
    data = tiny_settings(files=dict(FILES))
    *sections, key = path.split(".")
    section = data
    for name in sections:
        section = section[name]
    if value is ...:
        del section[key]
    else:
        section[key] = value
    return data


def test_round_trip() -> None:
    config = ModelConfig.from_dict(tiny_settings(files=FILES))
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.columns == 126


def test_hashable_and_immutable() -> None:
    config = ModelConfig.from_dict(tiny_settings(files=FILES))
    assert hash(config) == hash(ModelConfig.from_dict(tiny_settings(files=FILES)))
    with pytest.raises(AttributeError):
        config.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.files["encoder.onnx"] = DIGEST  # type: ignore[index]


WRONG = {
    "format": [3],
    "name": ["", "../x", ...],
    "version": ["", "1\n"],
    "colour": ["red"],
    "windows": ["apart"],
    "audio": [[]],
    "audio.rate": ["16000", True, 16000.5, 0],
    "audio.window": [10**12],
    "audio.hop": [0, 4001, 8800],
    "audio.loudness": [1],
    "level.default": [-1, 1e9],
    "level.step": [0, 700],
    "level.decay": [1.5, 0],
    "level.mean_rate": [0],
    "level.peak_floor": [1e-9, float("nan"), 10**400],
    "spectrogram.fft": [511, 10**9, 1 << 16],
    "spectrogram.step": [0, 513],
    "spectrogram.taper": ["kaiser"],
    "spectrogram.padding": [-1, 513],
    "spectrogram.trim": [[1], [0, -1]],
    "spectrogram.blank": [10**9],
    "spectrogram.bands.count": [0, 513],
    "spectrogram.bands.high": [9000],
    "spectrogram.bands.scale": ["bark", "bins"],
    "spectrogram.logarithm.floor": [0],
    "spectrogram.divisor": [0],
    "features.error": [127],
    "features.bottleneck": [0],
    "batch_statistics": [1],
    "typical": [{"mean": [0.0], "spread": [1.0]}, {"mean": [0.0] * 136}],
    "training": [{"network.pt": "md5:0"}],
    "files": [{"encoder.onnx": DIGEST}, FILES | {"../../etc/passwd": DIGEST}, FILES | {"decoder.onnx": "md5:0"}],
}


@pytest.mark.parametrize("path", WRONG)
def test_what_is_wrong_is_refused_by_its_path(path: str) -> None:
    for value in WRONG[path]:
        with pytest.raises(ModelConfigError) as caught:
            ModelConfig.from_dict(changed(path, value))
        section = path.split(".")[0]
        assert section in str(caught.value) or (section == "audio" and "level.step" in str(caught.value))


def test_what_no_number_depends_on_may_have_more_keys() -> None:
    typical = {"mean": [0.0] * 136, "spread": [1.0] * 136}
    for section, content in (("typical", typical), ("origin", {})):
        config = ModelConfig.from_dict(changed(section, content))
        assert ModelConfig.from_dict(changed(section, {**content, "median": [0.0]})).settings() == config.settings()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2, "format": 2}', '{"format": NaN}', "\ud800", "[" * 100_000])
def test_files_that_are_no_configuration(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ModelConfigError, match=r"model\.json"):
        ModelConfig.read(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError):
        ModelConfig.read(tmp_path / "model.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
PATHS = sorted(
    set(tiny_settings())
    | {f"{section}.{key}" for section, keys in tiny_settings().items() if isinstance(keys, dict) for key in keys}
    | {f"spectrogram.bands.{key}" for key in tiny_settings()["spectrogram"]["bands"]}
)


@given(path=st.sampled_from(PATHS), value=JSON)
def test_anything_in_any_place_gives_a_configuration_or_its_error(path: str, value: Any) -> None:
    try:
        config = ModelConfig.from_dict(changed(path, value))
    except ModelConfigError:
        return
    assert config.columns * config.spectrogram.bands.count <= 1 << 22
    assert ModelConfig.from_dict(config.to_dict()) == config
