from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commanding import run
from lockgate.detectors import model
from lockgate.detectors.model import MODELS
from lockgate_proxy.command import OK, WRONG
from tiny_model import write_model

ROWS: list[dict[str, Any]] = [
    *[{"id": i, "task": "jailbreak", "text": "an attack", "label": 1, "split": "dev"} for i in range(6)],
    *[{"id": i, "task": "benign", "text": "calm", "label": 0, "split": "dev"} for i in range(6)],
    {"id": 20, "task": "jailbreak", "text": "calm", "label": 1, "split": "train"},
    {"id": 21, "task": "preference", "prompt": "calm", "split": "dev"},
]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """The words of a call, but for the file."""
    before = MODELS.places, MODELS.options
    write_model(tmp_path / "tiny", thresholds={"injection": {"normal": {"at": 0.5}}, "harm": {"normal": {"at": 0.5}}})
    yield ("--model", str(tmp_path / "tiny"), "--heads", "injection,harm")
    model.run_models(*before)


def written(tmp_path: Path, *more: str) -> str:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in (*map(json.dumps, ROWS), *more)).encode()))
    return str(path)


def test_figures_as_a_table_json_and_a_page(
    tmp_path: Path, asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    figures, shown = tmp_path / "out.json", tmp_path / "out.html"
    words = ("--split", "dev", "--calibrate", "fpr=0.01", "--json", str(figures), "--report", str(shown))
    code, out, err = run(capsys, "eval", written(tmp_path), *words, *asked)
    assert (code, err) == (OK, "")
    assert out.startswith("tiny@1: 12 rows judged; 1 not labelled with what is asked\n")
    assert "injection ≥ 0.500  12    6      1.000   1.000  1.000    0.000  1.000" in out
    assert "threshold for  rate" in out
    said = json.loads(figures.read_text(encoding="utf-8"))
    assert [head["label"] for head in said["heads"]] == ["harm", "injection"]
    assert said["heads"][1]["total"]["auprc"]["at"] == 1.0
    assert said["heads"][1]["cut"]["negatives"] == 6
    assert shown.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_all_splits_unless_one_is_named(
    tmp_path: Path, asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "eval", written(tmp_path), written(tmp_path), *asked)
    assert code == OK
    assert "26 rows judged; 2 not" in out
    assert "rows.jsonl" not in out


def test_bad_rows_count_for_nothing_and_are_said(
    tmp_path: Path, asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "eval", written(tmp_path, "nonsense"), *asked)
    assert code == WRONG
    assert "13 rows judged; 1 not labelled with what is asked, 1 bad" in out
    assert err == "lockgate eval: 1 rows could not be judged, and count for nothing\n"


def test_where_nothing_is_labelled_it_is_said(
    tmp_path: Path, asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "eval", written(tmp_path), "--split", "tset", *asked)
    assert (code, err) == (WRONG, "lockgate eval: no row is labelled with anything that was asked\n")


@pytest.mark.parametrize("rate", ["0.01", "fpr=1", "fpr=1.5", "fpr=-1", "tpr=0.1", "fpr="])
def test_a_rate_is_a_rate(tmp_path: Path, rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "eval", written(tmp_path), "--calibrate", rate)
    assert (code, err) == (WRONG, "lockgate eval: --calibrate: must be a rate below 1, as in fpr=0.01\n")


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "eval", str(tmp_path / "none"))
    assert (code, err) == (WRONG, f"lockgate eval: {tmp_path}/none: there is no such file\n")
