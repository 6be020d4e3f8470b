from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from commanding import run
from lockgate.detectors.confidence import ConfidenceConfig
from lockgate_proxy.command import OK, WRONG


def written(path: Path, n: int = 400) -> str:
    chance = Random(2)
    rows = []
    for i in range(n):
        sure = chance.random()
        right = int(chance.random() < sure / 2)
        row = {"id": i, "confidence": sure, "label": right, "split": ["a", "b"][i % 2], "source": ["x", "y<z>"][i % 2]}
        rows.append(json.dumps(row))
    path.write_text("\n".join(rows))
    return str(path)


def test_figures_a_diagram_and_a_table_for_a_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, shown = tmp_path / "out.json", tmp_path / "out.html"
    words = ("--confidence", "--json", str(figures), "--report", str(shown))
    code, out, err = run(capsys, "eval", written(tmp_path / "rows.jsonl"), *words)
    assert (code, err) == (OK, "")
    assert out.startswith("confidence: 400 answers\n")
    assert "\nas it came  400" in out
    assert "\n  y<z>" in out
    assert "\ncalibrated  400" in out
    assert "\ncalibration: [[" in out
    said = json.loads(figures.read_text(encoding="utf-8"))
    assert (said["rows"], said["total"]["n"], len(said["total"]["bins"])) == (400, 400, 10)
    config = ConfidenceConfig.model_validate({"calibration": "out.json"}, context={"folder": str(tmp_path)})
    assert [list(point) for point in config.calibration or ()] == said["calibration"]
    html = shown.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert html.count("<svg") == 2
    assert "y&lt;z&gt;" in html
    assert "y<z>" not in html


def test_few_rows_make_no_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys, "eval", written(tmp_path / "rows.jsonl", 30), "--confidence", "--report", f"{tmp_path}/o"
    )
    assert code == OK
    assert "no calibration: it takes" in out
    assert "no calibration: it takes" in Path(tmp_path / "o").read_text(encoding="utf-8")


def test_a_split_and_bad_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(written(tmp_path / "rows.jsonl"))
    path.write_text(path.read_text() + "\nnonsense\n")
    code, out, _ = run(capsys, "eval", str(path), "--confidence", "--split", "a")
    assert code == WRONG
    assert out.startswith("confidence: 200 answers; 1 bad rows\n")


@pytest.mark.parametrize("more", [("--topic", "a:b"), ("--calibrate", "fpr=0.01"), ("--heads", "harm"), None])
def test_what_it_can_not_do(more: tuple[str, ...] | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "rows.jsonl") if more is not None else str(tmp_path / "none.jsonl")
    code, out, err = run(capsys, "eval", path, "--confidence", *(more or ()))
    assert (code, out) == (WRONG, "")
    assert (f"{more[0]}: is about models" if more else "none.jsonl") in err


def test_an_empty_file_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.jsonl").write_text("")
    assert run(capsys, "eval", f"{tmp_path}/rows.jsonl", "--confidence") == (WRONG, "confidence: 0 answers\n", "")
