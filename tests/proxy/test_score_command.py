from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commanding import run
from lockgate.detectors import model
from lockgate.detectors.model import MODELS
from lockgate_proxy.command import OK, WRONG
from tiny_model import write_model

GOOD = '{"id":"a","text":"an attack on Ada King"}\n{"id":2,"prompt":"calm","response":"a bomb"}\n'


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[str]:
    before = MODELS.places, MODELS.options
    points = {label: {"normal": {"at": 0.5}} for label in ("injection", "harm", "advice.legal")}
    write_model(tmp_path / "shelf" / "tiny", thresholds=points)
    write_model(tmp_path / "shelf" / "bare", thresholds={}, tags=None)
    # Nearer than the one that ships, and as easily known.
    pair = {"name": "lockgate-pair", "form": "pair", "lead": 4}
    write_model(tmp_path / "shelf" / "lockgate-pair", thresholds=points, **pair)
    # It says nothing: what it is asked has tests of its own.
    mute: dict[str, Any] = {
        "families": {},
        "exclusive": [],
        "thresholds": {},
        "embedding": None,
        "form": "pair",
        "lead": 4,
    }
    write_model(tmp_path / "shelf" / "lockgate-honesty", **mute)
    yield str(tmp_path / "shelf")
    model.run_models(*before)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text(text, encoding="utf-8")
    return str(path)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_one_line_for_each_row(tmp_path: Path, shelf: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "score", written(tmp_path, GOOD), "--models", shelf, "--model", "tiny")
    assert (code, err) == (OK, "")
    first, second = lines(out)
    assert list(first) == ["id", "scores", "verdict", "spans", "unverified"]
    assert (first["id"], first["verdict"]) == ("a", {"injection": True, "harm": False, "advice": "none"})
    (span,) = first["spans"]
    assert {**span, "score": 0} == {"field": "text", "start": 13, "end": 21, "label": "PERSON", "score": 0}
    assert (second["id"], second["verdict"]) == (2, {"injection": False, "harm": True, "advice": "none"})
    assert "indirect" not in second["scores"]


def test_bad_rows_have_their_line_and_the_code_is_2(
    tmp_path: Path, shelf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = written(tmp_path, '{"id":"a","text":3}\n' + GOOD + "secret words\n")
    code, out, err = run(capsys, "score", rows, "--models", shelf, "--model", "tiny")
    assert code == WRONG
    found = lines(out)
    assert found[0] == {"id": "a", "error": "text: must be a string", "line": 1}
    assert [one["id"] for one in found[1:3]] == ["a", 2]
    assert found[3] == {"id": None, "error": "the line is not JSON", "line": 4}
    assert err == "lockgate score: 2 of 4 rows could not be judged; their lines say why\n"
    assert "secret" not in out + err


def test_files_may_be_packed(tmp_path: Path, shelf: str, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "rows.jsonl.gz", tmp_path / "out.jsonl.gz"
    source.write_bytes(gzip.compress(GOOD.encode()))
    code, out, _ = run(capsys, "score", str(source), "--out", str(target), "--models", shelf, "--model", "tiny")
    assert (code, out) == (OK, "")
    assert [one["id"] for one in lines(gzip.decompress(target.read_bytes()).decode())] == ["a", 2]


def test_rows_may_come_by_standard_input(
    shelf: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(GOOD.encode())))))
    code, out, _ = run(capsys, "score", "-", "--models", shelf, "--model", "tiny", "--heads", "injection")
    assert code == OK
    assert [list(one["scores"]) for one in lines(out)] == [["injection"], ["injection"]]


def test_what_the_model_lacks_is_said(tmp_path: Path, shelf: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "score", written(tmp_path, GOOD), "--models", shelf, "--model", "bare")
    assert code == OK
    assert lines(out)[0]["verdict"] == {}
    assert lines(out)[0]["scores"]["injection"] > 0.9
    assert err == (
        "lockgate score: the model 'bare' has no thresholds for injection, harm, advice: no verdict on that\n"
        "lockgate score: the model 'bare' has no tags: spans are those of rules alone\n"
    )


def test_wrong_files_are_said(tmp_path: Path, shelf: str, capsys: pytest.CaptureFixture[str]) -> None:
    there = ("--models", shelf, "--model", "tiny")
    code, _, err = run(capsys, "score", str(tmp_path / "none.jsonl"), *there)
    assert (code, err) == (WRONG, f"lockgate score: {tmp_path}/none.jsonl: there is no such file\n")
    rows = written(tmp_path, GOOD)
    code, _, err = run(capsys, "score", rows, "--out", rows, *there)
    assert (code, err) == (WRONG, f"lockgate score: --out: {rows} is the file to read\n")
    code, _, err = run(capsys, "score", rows, "--out", str(tmp_path / "no" / "out"), *there)
    assert (code, err) == (
        WRONG,
        f"lockgate score: {tmp_path}/no/out: the file can't be written (No such file or directory)\n",
    )
    packed = tmp_path / "cut.gz"
    packed.write_bytes(gzip.compress(GOOD.encode())[:-6])
    code, _, err = run(capsys, "score", str(packed), *there)
    assert (code, err) == (WRONG, f"lockgate score: {packed}: the gzip file is damaged, or ends too early\n")
    code, _, err = run(capsys, "score", rows, "--models", shelf, "--model", "tony")
    assert code == WRONG
    assert "there is no model 'tony'" in err
