"""A checkpoint becomes a verified model folder, or none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import edgevoice
from edgevoice.config import ModelConfig
from edgevoice.errors import ArgumentError, ModelConfigError, ModelFilesError, OutputError
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.data.sampler import split_speakers
from edgevoice_export.publish import export as module
from edgevoice_export.publish.export import Description, export_checkpoint
from edgevoice_export.publish.folder import VerificationError, drafted
from edgevoice_export.publish.probe import recorded_spectrograms, synthetic_spectrograms
from edgevoice_export.publish.verify import TOLERANCE, network_reference, verify
from edgevoice_export.training.loop import BEST
from edgevoice_export.training.weights import pack_weights, read_checkpoint, read_weights
from shortrun import SETTINGS

DESCRIPTION = Description("cae-64", data="buzzes")


def test_folder_loads_and_extracts(exported: ModelFolder, audio_folder: Path):
    features = edgevoice.load(exported.path).extract(audio_folder / "anna" / "one.wav")
    assert features.values.shape == (4, 64 + 128)
    assert np.isfinite(features.values).all()


def test_model_json_says_where_it_comes_from(exported: ModelFolder, corpus: Corpus):
    config = exported.config
    assert config.files.keys() == {"encoder.onnx", "decoder.onnx"}
    assert config.training.keys() == {"network.pt"}
    assert config.origin["trained_on"]["digest"] == f"sha256:{corpus.digest}"
    assert config.origin["seed"] == 0
    assert config.origin["command"].startswith("edgevoice-export train --arch cae --units 64 --epochs 2")
    assert config.origin["held_out"]["speakers"] == 1
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_card_tells_what_matters(exported: ModelFolder):
    card = (exported.path / "README.md").read_text()
    for part in ("buzzes", "not stated", "3 speakers", "--epochs 2", "| all |", "example.png", "history.png", "half of"):
        assert part in card
    for picture in ("example.png", "history.png"):
        assert (exported.path / picture).read_bytes().startswith(b"\x89PNG")


def test_held_out_figures_are_the_runtimes(exported: ModelFolder, audio_folder: Path, corpus: Corpus):
    """The validation speaker's errors, averaged, as a user of the model computes them."""
    speaker = {corpus.speakers[k] for k in split_speakers(corpus.speakers, SETTINGS.validation, SETTINGS.seed)[1]}.pop()
    extractor = edgevoice.load(exported.path, descriptors="error")
    for level in ("running", "utterance"):
        errors = np.concatenate(
            [extractor.extract(path, level=level).error for path in sorted((audio_folder / speaker).iterdir())]
        )
        told = exported.config.origin["held_out"]["mean_squared_error"][level]
        # not closer: the corpus holds resampled files as int16, the runtime as floats
        assert errors.mean() == pytest.approx(told, rel=0.02)


def test_weights_come_back_from_the_folder(exported: ModelFolder, trained: Path):
    packed, checkpoint = read_weights(exported.path), read_weights(trained / BEST)
    assert packed[:2] == checkpoint[:2] == ("cae", 64)
    assert packed.tensors.keys() == checkpoint.tensors.keys()
    assert all(torch.equal(packed.tensors[name], tensor) for name, tensor in checkpoint.tensors.items())


def test_network_file_leaves_the_large_matrices_to_the_graphs(exported: ModelFolder):
    whole = sum(tensor.numel() * 4 for tensor in read_weights(exported.path).tensors.values())
    assert (exported.path / "network.pt").stat().st_size < whole / 3


def test_folder_without_weights_is_told(tiny_model: Path):
    with pytest.raises(ModelFilesError, match=r"network\.pt"):
        read_weights(tiny_model)


def test_other_architecture_in_the_network_file_is_refused(exported: ModelFolder):
    weights = read_weights(exported.path)
    with pytest.raises(ModelConfigError, match="architecture 'x'"):
        weights._replace(arch="x").network()
    with pytest.raises(ModelConfigError, match="do not fit"):
        weights._replace(units=128).network()


def test_verification_passes_on_recorded_and_synthetic_speech(exported: ModelFolder, speech: Path):
    reference = network_reference(read_weights(exported.path).network())
    for spectrograms in (
        recorded_spectrograms(speech, exported.config, 10),
        synthetic_spectrograms(exported.config, 10),
    ):
        assert spectrograms.shape == (10, 1, 128, 126)
        result = verify(exported, reference, spectrograms)
        assert result.passed(TOLERANCE)
        assert result.windows == 10
        assert result.batches == "1, 2, 7 and 10"
    assert verify(exported, reference, spectrograms[:2]).batches == "1 and 2"


def test_verification_sees_other_weights(exported: ModelFolder):
    weights = read_weights(exported.path)
    weights.tensors["decoder.conv4.weight"] *= 1.01
    result = verify(exported, network_reference(weights.network()), synthetic_spectrograms(exported.config, 7))
    assert result.differences["bottleneck"] < TOLERANCE < result.differences["reconstruction"]
    assert not result.passed(TOLERANCE)


def altered(graphs: dict[str, onnx.ModelProto]) -> dict[str, onnx.ModelProto]:
    largest = max(graphs["encoder.onnx"].graph.initializer, key=lambda initialiser: len(initialiser.raw_data))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * np.float32(1.01), largest.name))
    return graphs


def test_export_that_fails_verification_leaves_nothing(
    trained: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    convert = module.convert
    monkeypatch.setattr(module, "convert", lambda *given: altered(convert(*given)))
    with pytest.raises(VerificationError, match="bottleneck"):
        export_checkpoint(trained / BEST, corpus, tmp_path / "cae-64", DESCRIPTION)
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_other_data(trained: Path, corpus: Corpus, tmp_path: Path):
    with pytest.raises(ArgumentError, match="other data"):
        export_checkpoint(trained / BEST, dataclasses.replace(corpus, digest="0"), tmp_path / "m", DESCRIPTION)


def test_draft_takes_the_place_of_a_model_folder_alone(tmp_path: Path):
    out = tmp_path / "model"
    with drafted(out) as draft:
        (draft / "model.json").write_text("1")
    with pytest.raises(OutputError, match="cannot be written"), drafted(out) as draft:
        (draft / "none" / "model.json").write_text("2")
    assert (out / "model.json").read_text() == "1"
    with drafted(out) as draft:
        (draft / "model.json").write_text("3")
    assert (out / "model.json").read_text() == "3"
    assert list(tmp_path.iterdir()) == [out]
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter").touch()
    with pytest.raises(OutputError, match="no model folder"), drafted(thesis):
        pass
    assert (thesis / "chapter").exists()


def test_folders_made_for_a_draft_vanish_with_it(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), drafted(tmp_path / "deep" / "er" / "model"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_model_stays_where_its_draft_cannot_replace_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if target == out and not path.name.endswith("-old"):
            raise OSError("in use")
        return rename(path, target)

    out = tmp_path / "model"
    with drafted(out) as draft:
        (draft / "model.json").write_text("1")
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OutputError, match="in use"), drafted(out) as draft:
        (draft / "model.json").write_text("2")
    assert (out / "model.json").read_text() == "1"
    assert list(tmp_path.iterdir()) == [out]


def test_packing_needs_no_graph(trained: Path):
    content = read_checkpoint(trained / BEST)
    weights = read_weights(trained / BEST)
    assert len(pack_weights(weights, {})) > sum(tensor.numel() * 4 for tensor in content["weights"].values())
