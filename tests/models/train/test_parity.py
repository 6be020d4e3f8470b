from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from lockgate_models.train import evaluate, parity
from tiny_model import FAMILIES, network, tables, tokenizer


def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Families that the tiny model knows, and the model twice: as it is, and with its words mixed up."""
    labels = [label for labels in FAMILIES.values() for label in labels]
    monkeypatch.setattr(parity, "FAMILIES", FAMILIES)
    monkeypatch.setattr(evaluate.Scorer.__init__, "__kwdefaults__", {"families": FAMILIES})
    monkeypatch.setattr(evaluate.precisions, "__defaults__", (labels,))
    own = tmp_path / "own"
    own.mkdir()
    said = [
        {"family": f"f{i}", "labels": {"injection": i % 2}, "texts": ["attack" if i % 2 else "calm"]}
        for i in range(400)
    ]
    (own / "own.jsonl").write_text("\n".join(map(json.dumps, said)))
    for name in ("fit/onnx", "model"):
        (tmp_path / name).mkdir(parents=True)
    onnx.save(network(), tmp_path / "fit/onnx/fused.onnx")
    onnx.save(network(), tmp_path / "model/int8.onnx")
    worse = network()
    table = next(one for one in worse.graph.initializer if one.name == "label_table")
    table.raw_data = (-tables()[0]).tobytes()
    onnx.save(worse, tmp_path / "model/fp16.onnx")
    tokenizer().save(str(tmp_path / "model/tokenizer.json"))
    return ["--own", str(own), "--fit", str(tmp_path / "fit"), "--model", str(tmp_path / "model")]


def test_a_file_that_lost_too_much_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = folder(tmp_path, monkeypatch)
    assert parity.main([*arguments, "--files", "int8.onnx"]) == 0
    assert "int8.onnx: 1.0000, +0.0000 lost" in capsys.readouterr().out
    assert parity.main(arguments) == 1
    said = json.loads((tmp_path / "fit/parity.json").read_text())
    assert said["fp32"] == said["int8"] == 1.0
    assert said["fp16"] < 0.9
