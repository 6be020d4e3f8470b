from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lockgate_models.errors import ManifestError
from lockgate_models.manifest import read_manifest, verify
from tiny_model import write_model


def test_a_manifest(tmp_path: Path) -> None:
    found = read_manifest(write_model(tmp_path))
    assert found.labels == ("injection", "harm", "harm.weapons", "advice.none", "advice.legal")
    assert verify(tmp_path, found.file("int8")) == tmp_path / "int8.onnx"
    with pytest.raises(KeyError):
        found.file("fp16")


def test_a_threshold_for_each_sensitivity(tmp_path: Path) -> None:
    found = read_manifest(write_model(tmp_path))
    assert found.threshold("injection") == found.threshold("injection", "normal") == 0.5
    assert found.threshold("injection", "low") == 0.9
    assert found.threshold("injection", "high") == 0.5  # has none of its own
    with pytest.raises(KeyError):
        found.threshold("harm")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"revision": None}, "revision: Field required"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"window": 3}, "window: Input should be greater"),
        ({"tokenizer": {"name": "../t", "sha256": "0" * 64}}, "tokenizer/name: String should match"),
        ({"tokenizer": {"name": "t", "sha256": "0"}}, "tokenizer/sha256: String should match"),
        ({"thresholds": {"injection": {"normal": {"at": 2}}}}, "thresholds/injection/normal/at: Input should be less"),
        ({"thresholds": {"injectoin": {"normal": {"at": 0.5}}}}, "thresholds: no such name: injectoin"),
        ({"thresholds": {"injection": {"at": 0.5}}}, "thresholds/injection/at/"),
        ({"thresholds": {"injection": {"low": {"at": 0.5}}}}, "thresholds/injection: there is no normal one"),
        (
            {"thresholds": {"injection": {"low": {"at": 0.5}, "normal": {"at": 0.6}}}},
            "thresholds/injection: a lower sensitivity has the lower threshold",
        ),
        ({"calibration": {"x": {}}}, "calibration: no such name: x"),
        ({"exclusive": ["x"]}, "exclusive: no such name: x"),
        (
            {"families": {}, "exclusive": [], "thresholds": {}, "tags": [], "embedding": False},
            "the model answers nothing",
        ),
        ({"families": {"a": ["x"], "b": ["x"]}, "thresholds": {}, "exclusive": []}, "families: a label is there twice"),
    ],
)
def test_a_wrong_manifest_says_where(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ManifestError) as raised:
        read_manifest(write_model(tmp_path, **changes))
    assert raised.value.where == str(tmp_path / "manifest.yaml")
    assert raised.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("text", "where"),
    [("a: [", ":1: "), ("", ": the whole: "), ("- 1", ": the whole: ")],
    ids=["open", "empty", "list"],
)
def test_what_is_no_manifest(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "manifest.yaml").write_text(text)
    with pytest.raises(ManifestError) as raised:
        read_manifest(tmp_path)
    assert f"manifest.yaml{where}" in str(raised.value)


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"there is no manifest\.yaml"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["int8.onnx", "tokenizer.json"])
def test_a_file_that_was_changed_is_refused(tmp_path: Path, name: str) -> None:
    found = read_manifest(write_model(tmp_path))
    file = found.file("int8") if name == "int8.onnx" else found.tokenizer
    with (tmp_path / name).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(ManifestError, match="another SHA-256"):
        verify(tmp_path, file)
    (tmp_path / name).unlink()
    with pytest.raises(ManifestError, match="can't be read: FileNotFoundError"):
        verify(tmp_path, file)
