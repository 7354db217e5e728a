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
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.convert import network_reference
from edgevoice_export.onnx.halves import widen_halves
from edgevoice_export.publish import export as module
from edgevoice_export.publish.card import Description
from edgevoice_export.publish.export import export_checkpoint, rounded
from edgevoice_export.publish.folder import write_folder
from edgevoice_export.publish.verify import (
    TOLERANCE,
    VerificationError,
    outputs_of,
    recorded_spectrograms,
    synthetic_spectrograms,
    verify,
)
from edgevoice_export.training.loop import BEST
from edgevoice_export.training.runs import Run, model_lineage
from edgevoice_export.training.weights import pack_weights, read_weights
from shortrun import SETTINGS

DESCRIPTION = Description("cae-64", data="buzzes")


def test_model_json_says_where_it_comes_from(exported: ModelFolder, corpus: Corpus):
    config = exported.config
    assert config.files.keys() == {"encoder.onnx", "decoder.onnx", "frontend.onnx"}
    assert config.training.keys() == {"network.pt"}
    assert config.origin["trained_on"]["digest"] == f"sha256:{corpus.digest}"
    assert model_lineage(config) == (Run("cae-64 1.0.0", SETTINGS),)
    assert config.origin["held_out"]["speakers"] == 1
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_card_tells_what_matters(exported: ModelFolder):
    card = (exported.path / "README.md").read_text()
    for part in ("buzzes", "not stated", "3 speakers", "--epochs 2", "| all |", "example.png", "history.png", "half of"):
        assert part in card
    for picture in ("example.png", "history.png"):
        assert (exported.path / picture).read_bytes().startswith(b"\x89PNG")


def test_card_begins_with_what_a_hub_reads(exported: ModelFolder):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    card = (exported.path / "README.md").read_text()
    head, _, body = card.removeprefix("---\n").partition("\n---\n")
    values = yaml.safe_load(head)
    assert "license" not in values  # nobody gave one
    assert "weights not stated" in body
    assert values["pipeline_tag"] == "feature-extraction"
    (model,) = values["model-index"]
    figures = {metric["name"][-9:].split()[-1]: metric["value"] for metric in model["results"][0]["metrics"]}
    stated = exported.config.origin["held_out"]["mean_squared_error"]
    assert figures == pytest.approx(stated, rel=1e-3)
    assert body.lstrip().startswith("# cae-64\n")


def test_held_out_figures_are_the_runtimes(exported: ModelFolder, audio_folder: Path, corpus: Corpus):
    """The validation speaker's errors, averaged, as a user of the model computes them."""
    speaker = {corpus.speakers[k] for k in corpus.split(SETTINGS.validation, SETTINGS.seed)[1]}.pop()
    extractor = edgevoice.load(exported.path, descriptors="error")
    for level in ("running", "utterance"):
        errors = np.concatenate(
            [extractor.extract(path, level=level).error for path in sorted((audio_folder / speaker).iterdir())]
        )
        stated = exported.config.origin["held_out"]["mean_squared_error"][level]
        # not closer: the corpus holds resampled files as int16, the runtime as floats
        assert errors.mean() == pytest.approx(stated, rel=0.02)


def test_weights_come_back_from_the_folder(exported: ModelFolder, trained: Path):
    packed, checkpoint = read_weights(exported.path), read_weights(trained / BEST)
    assert packed[:2] == checkpoint[:2] == ("cae", 64)
    assert packed.tensors.keys() == checkpoint.tensors.keys()
    wanted = rounded(checkpoint.tensors)
    assert len(pack_weights(checkpoint, {})) > sum(tensor.numel() * 4 for tensor in checkpoint.tensors.values())
    assert all(torch.equal(packed.tensors[name], tensor) for name, tensor in wanted.items())
    assert not torch.equal(wanted["encoder.linear.weight"], checkpoint.tensors["encoder.linear.weight"])


def test_verification_passes_on_recorded_and_synthetic_speech(exported: ModelFolder, speech: Path):
    reference = network_reference(read_weights(exported.path).network())
    compute = outputs_of(exported.read)
    preprocessing = Preprocessing.of(exported.config)
    for spectrograms in (
        recorded_spectrograms(speech, preprocessing, 10),
        synthetic_spectrograms(preprocessing, 10),
    ):
        assert spectrograms.shape == (10, 1, 128, 126)
        result = verify(compute, reference, spectrograms)
        assert result.passed(TOLERANCE)
        assert result.windows == 10
        assert result.batches == "1, 2, 7 and 10"
    assert verify(compute, reference, spectrograms[:2]).batches == "1 and 2"


def test_verification_sees_other_weights(exported: ModelFolder):
    weights = read_weights(exported.path)
    for changes in ({"arch": "x"}, {"units": 128}):
        with pytest.raises(ModelConfigError):
            weights._replace(**changes).network()
    weights.tensors["decoder.conv4.weight"] *= 1.01
    spectrograms = synthetic_spectrograms(Preprocessing.of(exported.config), 7)
    result = verify(outputs_of(exported.read), network_reference(weights.network()), spectrograms)
    assert result.differences["bottleneck"] < TOLERANCE < result.differences["reconstruction"]
    assert not result.passed(TOLERANCE)


def test_export_that_fails_verification_leaves_nothing(
    exported: ModelFolder, trained: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    graphs = {name: onnx.load(exported.path / name) for name in ("encoder.onnx", "decoder.onnx")}
    for graph in graphs.values():
        widen_halves(graph)
    largest = max(graphs["encoder.onnx"].graph.initializer, key=lambda initialiser: len(initialiser.raw_data))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * np.float32(1.01), largest.name))
    monkeypatch.setattr(module, "convert", lambda *_: graphs)
    with pytest.raises(VerificationError):
        export_checkpoint(trained / BEST, corpus, tmp_path / "cae-64", DESCRIPTION)
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_other_data(trained: Path, corpus: Corpus, tmp_path: Path):
    with pytest.raises(ArgumentError):
        export_checkpoint(trained / BEST, dataclasses.replace(corpus, digest="0"), tmp_path / "m", DESCRIPTION)


def test_only_a_model_folder_is_replaced_and_only_by_a_whole_one(tiny_model: Path, tmp_path: Path):
    tiny, out = ModelFolder.open(tiny_model), tmp_path / "deep" / "er" / "model"
    files = {name: tiny.read(name) for name in tiny.config.files}
    other = dataclasses.replace(tiny.config, features=dataclasses.replace(tiny.config.features, bottleneck=9))
    with pytest.raises(ModelFilesError):
        write_folder(out, other, files)
    assert list(tmp_path.iterdir()) == []
    assert write_folder(out, tiny.config, files | {"README.md": b"1"}).config == tiny.config
    write_folder(out, tiny.config, files | {"README.md": b"2"})
    for wrong, error in (({"encoder.onnx": b"other"}, ModelFilesError), ({"none/README.md": b""}, OutputError)):
        with pytest.raises(error):
            write_folder(out, tiny.config, files | wrong)
    assert (out / "README.md").read_bytes() == b"2"
    assert list(out.parent.iterdir()) == [out]
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter").touch()
    with pytest.raises(OutputError):
        write_folder(thesis, tiny.config, files)
    assert (thesis / "chapter").exists()


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
    moved = (result["linear.weight"] - tensors["linear.weight"]).abs()
    assert moved.max() > 0
    assert (moved <= tensors["linear.weight"].abs() / 2048 + 2.0**-25).all()
    for name in tensors.keys() - {"linear.weight"}:
        assert result[name] is tensors[name], name
