from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commanding import run
from lockgate_proxy.command import FAILED, OK, WRONG
from tiny_model import write_model


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where models are."""
    monkeypatch.setattr("lockgate_proxy.models_command.folders", list)
    write_model(tmp_path / "tiny", languages=["en"])
    return tmp_path


def test_list_says_what_there_is(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "models", "list", "--models", str(shelf))
    assert (code, err) == (OK, "")
    assert out == (
        "tiny  revision 1, text form\n"
        "  heads      injection, harm (2), advice (2)\n"
        "  unjudged   harm, advice: no thresholds\n"
        "  names      PERSON, LOCATION\n"
        "  files      int8 0.0 MiB\n"
        "  languages  en\n"
        f"  folder     {shelf}/tiny\n"
    )
    _, out, _ = run(capsys, "models", "list", "--models", str(shelf), "--json")
    said = json.loads(out)
    assert (said["name"], said["form"], said["judged"]) == ("tiny", "text", ["injection"])
    assert said["heads"]["harm"] == ["harm", "harm.weapons"]
    assert said["files"][0]["bytes"] == (shelf / "tiny" / "int8.onnx").stat().st_size


def test_a_manifest_that_is_wrong_is_said(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_model(shelf / "broken", window=None)
    code, out, err = run(capsys, "models", "list", "--models", str(shelf))
    assert code == WRONG
    assert "tiny  revision" in out
    assert "broken/manifest.yaml: window: Field required" in err
    code, out, _ = run(capsys, "models", "verify", "--models", str(shelf))
    assert code == FAILED
    assert f"WRONG {shelf}/broken/manifest.yaml: window" in out


def test_where_there_is_none_it_is_said(tmp_path: Path, shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for action in ("list", "verify"):
        assert run(capsys, "models", action, "--models", str(empty))[:2] == (OK, "there are no models\n")
    code, _, err = run(capsys, "models", "list", "--models", str(empty / "no"))
    assert (code, err) == (WRONG, f"lockgate models: --models: {empty}/no is no folder\n")
    code, _, err = run(capsys, "models", "verify", "toni", "--models", str(shelf))
    assert (code, err) == (WRONG, "lockgate models: there is no model 'toni'; there are: tiny\n")


def test_verify_reads_every_file(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "models", "verify", "tiny", "--models", str(shelf))
    assert (code, out) == (OK, f"ok    {shelf}/tiny/tokenizer.json\nok    {shelf}/tiny/int8.onnx\n")
    (shelf / "tiny" / "int8.onnx").write_bytes(b"another")
    code, out, _ = run(capsys, "models", "verify", "--models", str(shelf))
    assert code == FAILED
    assert f"WRONG {shelf}/tiny/int8.onnx: is not the file that the manifest names" in out
    (shelf / "tiny" / "int8.onnx").unlink()
    code, out, _ = run(capsys, "models", "verify", str(shelf / "tiny"))
    assert code == FAILED
    assert f"WRONG {shelf}/tiny/int8.onnx: can't be read" in out


def test_one_precision_is_enough(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shelf / "tiny"
    said = json.loads((folder / "manifest.yaml").read_text(encoding="utf-8"))
    files = [*said["files"], {"name": "fp16.onnx", "sha256": "0" * 64, "precision": "fp16"}]
    write_model(folder, files=files)
    code, out, _ = run(capsys, "models", "verify", "--models", str(shelf))
    assert code == OK
    assert out.splitlines()[0] == f"none  {folder}/fp16.onnx: is not there"
    _, out, _ = run(capsys, "models", "list", "--models", str(shelf))
    assert "files      int8 0.0 MiB, fp16 not there" in out


BUILD = ("models", "build", "some/model", "--task", "text", "--precision", "int8", "--out", "my models/x")


def test_build_says_where_it_can_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    code, _, err = run(capsys, *BUILD)
    assert code == WRONG
    assert "needs PyTorch" in err
    assert (
        "PYTHONPATH=models .venv-train/bin/python -m lockgate_models.train.build some/model --task text"
        " --precision int8 --out 'my models/x'" in err
    )


def test_build_is_the_training_side_s(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def answered(words: list[str], **_: Any) -> Any:
        called.append(words)
        return subprocess.CompletedProcess(words, 3)

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(subprocess, "run", answered)
    assert run(capsys, *BUILD)[0] == 3
    words = ["some/model", "--task", "text", "--precision", "int8", "--out"]
    assert called == [[sys.executable, "-m", "lockgate_models.train.build", *words, "my models/x"]]
