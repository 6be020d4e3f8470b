from __future__ import annotations

import asyncio
from importlib import metadata
from pathlib import Path

import pytest

from lockgate_models import shelf
from lockgate_models.errors import DeviceError, ManifestError
from tiny_model import write_model


def test_a_loaded_model_answers(tmp_path: Path) -> None:
    classifier = shelf.load(write_model(tmp_path))
    (found,) = asyncio.run(classifier.scores(["attack"]))
    assert found.labels["injection"] > classifier.manifest.threshold("injection")
    classifier.close()


def test_a_model_of_names_alone(tmp_path: Path) -> None:
    folder = write_model(tmp_path, families={}, exclusive=[], thresholds={}, embedding=False)
    classifier = shelf.load(folder)
    (found,) = asyncio.run(classifier.scores(["calm ada king"]))
    assert [(name.label, name.start, name.end) for name in found.names] == [("PERSON", 5, 13)]
    assert (found.labels, found.embedding) == ({}, None)
    classifier.close()


def test_a_tampered_file_refuses_to_load(tmp_path: Path) -> None:
    write_model(tmp_path)
    with (tmp_path / "int8.onnx").open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\0")
    with pytest.raises(ManifestError, match="another SHA-256"):
        shelf.load(tmp_path)


def test_a_precision_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="has no fp16 file"):
        shelf.load(write_model(tmp_path), shelf.Options(precision="fp16"))


@pytest.mark.parametrize("allowed", [False, True])
def test_the_cpu_stands_in_for_a_gpu_only_where_the_manifest_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    folder = write_model(tmp_path, cpu_instead_of_gpu=allowed)
    if allowed:
        shelf.load(folder, shelf.Options(device="gpu")).close()
    else:
        with pytest.raises(DeviceError):
            shelf.load(folder, shelf.Options(device="gpu"))


def test_both_runtimes_at_once_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda name: name)
    with pytest.raises(DeviceError, match="both installed; uninstall both"):
        shelf.load(write_model(tmp_path))
