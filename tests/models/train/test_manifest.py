from __future__ import annotations

import json
from pathlib import Path

import pytest

from lockgate_models.labels import LABELS, TAGS
from lockgate_models.manifest import Calibration, Threshold, read_manifest, verify
from lockgate_models.train import manifest as step
from tiny_model import write_model


def exported(folder: Path, weights: str = "ab" * 32) -> list[str]:
    write_model(folder / "lockgate-text")
    (folder / "lockgate-text/manifest.yaml").unlink()
    (folder / "export.json").write_text(json.dumps({"form": "text", "weights": weights}))
    return ["--fit", str(folder), "--model", str(folder / "lockgate-text")]


def test_it_says_what_the_files_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step.main(exported(tmp_path))
    assert "1-abababababab, no thresholds yet" in capsys.readouterr().out
    found = read_manifest(tmp_path / "lockgate-text")
    assert found.labels == LABELS
    assert found.tags == list(TAGS)
    assert (found.window, found.overlap, found.languages, found.licence) == (128, 32, ["en"], "Apache-2.0")
    assert verify(tmp_path / "lockgate-text", found.file("int8")).name == "int8.onnx"
    assert [file.precision for file in found.files] == ["int8"]


def test_thresholds_outlive_a_second_run_but_not_other_weights(tmp_path: Path) -> None:
    arguments = exported(tmp_path)
    step.main(arguments)
    folder = tmp_path / "lockgate-text"
    frozen = read_manifest(folder).model_copy(
        update={
            "thresholds": {"injection": {"normal": Threshold(at=0.123457, fpr=0.01)}},
            "calibration": {"injection": Calibration(temperature=1.5)},
        }
    )
    step.write_manifest(folder, frozen)
    assert read_manifest(folder) == frozen
    before = (folder / "manifest.yaml").read_bytes()
    step.main(arguments)
    assert (folder / "manifest.yaml").read_bytes() == before
    (tmp_path / "export.json").write_text(json.dumps({"form": "text", "weights": "cd" * 32}))
    step.main(arguments)
    assert not read_manifest(folder).thresholds
