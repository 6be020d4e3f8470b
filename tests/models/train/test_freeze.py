from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate_models.manifest import Manifest, read_manifest
from lockgate_models.train import freeze as step
from lockgate_models.train.thresholds import GENERAL, HONEST, sigmoid
from tiny_model import write_honest, write_model


def rows(manifest: Manifest, count: int = 2000) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows, and what a model that is too sure of itself would say of them, as its manifest has it."""
    draw = np.random.default_rng(3)
    labelled, said = [], []
    for i in range(count):
        harmful = i % 4 == 0
        truth = {
            "injection": i % 5 == 0,
            "harm": harmful,
            "harm.weapons": harmful and i % 8 == 0,
            "advice.legal": i % 9 == 0,
        }
        kind = "" if harmful or truth["injection"] else ("ordinary" if i % 2 else "lookalike")
        scores = {"advice.none": 0.1}
        for label, value in truth.items():
            logit = float(draw.normal(4 if value else -4, 3))
            step_ = manifest.calibration.get(label)
            scores[label] = float(
                sigmoid(np.array(logit if step_ is None else (logit + step_.bias) / step_.temperature))
            )
        labelled.append({"id": f"r{i}", "kind": kind, "labels": {k: int(v) for k, v in truth.items()}})
        said.append({"id": f"r{i}", "scores": scores})
    return labelled, said


def write(folder: Path, labelled: list[dict[str, Any]], said: list[dict[str, Any]]) -> list[str]:
    for name, found in (("labels", labelled), ("scores", said)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in found))
    return [
        "--scores",
        str(folder / "scores.jsonl"),
        "--labels",
        str(folder / "labels.jsonl"),
        "--model",
        str(folder / "m"),
    ]


def test_rates_hold_and_freezing_twice_is_freezing_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_model(tmp_path / "m", thresholds=None)
    arguments = write(tmp_path, *rows(read_manifest(folder)))
    step.main([*arguments, "--report", str(tmp_path / "r.json")])
    found = read_manifest(folder)
    assert found.calibration["injection"].temperature > 1
    assert set(found.thresholds) == {"injection", "harm", "harm.weapons", "advice.legal"}
    for label, points in found.thresholds.items():
        assert points["low"].at >= points["normal"].at >= points["high"].at
        assert points["normal"].fpr is not None
        assert points["normal"].fpr <= 0.0101 * GENERAL.get(label.partition(".")[0], 1.0)
    report = json.loads((tmp_path / "r.json").read_text())
    for name, rate in (("low", 0.002), ("normal", 0.01), ("high", 0.05)):
        assert report["harm"][name]["negatives"]["flagged"] <= rate * GENERAL["harm"] + 5e-5
        assert report["harm"][name]["ordinary"]["flagged"] <= rate + 5e-5
    assert report["harm"]["high"]["positives"]["recall"] > report["harm"]["low"]["positives"]["recall"] > 0
    assert "harm       normal" in capsys.readouterr().out
    step.main(write(tmp_path, *rows(found)))
    again = read_manifest(folder)
    for label, calibration in found.calibration.items():
        assert again.calibration[label].temperature == pytest.approx(calibration.temperature, rel=1e-3)
    for label, points in found.thresholds.items():
        assert again.threshold(label) == pytest.approx(points["normal"].at, abs=1e-3)


def test_rows_that_are_not_the_same_are_an_error(tmp_path: Path) -> None:
    write_model(tmp_path / "m")
    labelled, said = rows(read_manifest(tmp_path / "m"), 50)
    with pytest.raises(step.FreezeError, match="other rows"):
        step.main(write(tmp_path, labelled, said[::-1]))
    with pytest.raises(ValueError, match="shorter"):
        step.main(write(tmp_path, labelled, said[:-1]))


def test_a_row_that_could_not_be_judged_is_left_out(tmp_path: Path) -> None:
    write_model(tmp_path / "m")
    labelled, said = rows(read_manifest(tmp_path / "m"), 50)
    said[3] = {"id": "r3", "error": "x", "line": 4}
    step.main(write(tmp_path, labelled, said))
    assert read_manifest(tmp_path / "m").thresholds["injection"]["normal"].n == 49
    with pytest.raises(step.FreezeError, match="no row"):
        step.main(write(tmp_path, labelled[:1], [{"id": "r0", "error": "x", "line": 1}]))


def test_honesty_has_probabilities_for_thresholds(tmp_path: Path) -> None:
    manifest = read_manifest(write_honest(tmp_path / "m"))
    labelled = [{"id": i, "kind": "", "labels": {"hedging": i % 2}} for i in range(200)]
    said = [{"hedging": 0.99 if i % 2 else 0.01} for i in range(200)]
    points = step.freeze(manifest, labelled, said).manifest.thresholds
    assert {name: point.at for name, point in points["hedging"].items()} == dict(HONEST)
    assert points["hedging"]["normal"].recall == 1.0
    assert "sycophancy" not in points, "nothing is known of it"
