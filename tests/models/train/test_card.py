from __future__ import annotations

import json
from pathlib import Path

import pytest

from lockgate_models.train.card import main
from lockgate_models.train.origins import ORIGINS
from lockgate_models.train.rows import SOURCES
from tiny_model import write_model

THRESHOLDS = {"injection": {"low": {"at": 0.9}, "normal": {"at": 0.5, "fpr": 0.01}}}
FIGURES = {
    "rows": 1234,
    "advice": {"at": 0.91, "low": 0.9, "high": 0.92},
    "heads": [
        {"label": "injection", "total": {"n": 900, "positives": 80, "recall": {"at": 0.9, "low": 0.85, "high": 0.94}, "f1": None}},
        {"label": "harm", "total": {"n": 10, "positives": 0, "recall": {"at": None, "low": None, "high": None}}},
        {
            "label": "groundedness",
            "total": {"n": 20, "positives": 5},
            "sources": {"own/a": {"n": 20, "positives": 5, "f1": {"at": 0.7, "low": 0.6, "high": 0.8}}},
        },
    ],
    "spans": {
        "own/a": {
            "any": {"right": 4, "said": 3},
            "unsupported": {"right": 4, "said": 3, "precision": 0.5, "recall": 0.25, "f2": 0.28, "character_f1": None},
        }
    },
}  # fmt: skip


def written(tmp_path: Path, *more: str) -> str:
    folder = write_model(tmp_path / "m", thresholds=THRESHOLDS, languages=["en"], licence="Apache-2.0", base="org/base")
    (tmp_path / "own").mkdir()
    families = [{"family": f"f{i}", "labels": {"injection": i % 2}, "texts": ["calm"]} for i in range(100)]
    (tmp_path / "own/own.jsonl").write_text("\n".join(map(json.dumps, families)))
    (tmp_path / "export.json").write_text(json.dumps({"form": "text", "steps": 6000, "cosine": 0.812, "plain": 0.35}))
    main(["--model", str(folder), "--fit", str(tmp_path), "--own", str(tmp_path / "own"), *more])
    return (folder / "README.md").read_text()


def test_it_attributes_every_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = written(tmp_path)
    assert "README.md" in capsys.readouterr().out
    for source in SOURCES:
        origin = ORIGINS[source.path]
        assert origin.name in said
        assert origin.licence in said
    assert said.count(" ⁺ |") == sum(ORIGINS[source.path].share for source in SOURCES)
    assert "(100 of them)" not in said
    assert "100 of them): " in said


def test_figures_are_there_where_they_were_measured(tmp_path: Path) -> None:
    (tmp_path / "eval.json").write_text(json.dumps(FIGURES))
    (tmp_path / "parity.json").write_text(json.dumps({"rows": 99, "labels": 5, "fp32": 0.9, "int8": 0.899}))
    point = {"negatives": {"n": 500, "flagged": 0.01, "upper": 0.02}, "positives": {"n": 80, "recall": 0.9}}
    (tmp_path / "freeze.json").write_text(json.dumps({"injection": {"normal": point}}))
    said = written(tmp_path, "--eval", str(tmp_path / "eval.json"))
    assert "6,000 steps" in said
    assert "cosine is 0.812" in said
    assert "fp32 0.9000, int8 0.8990" in said
    assert "| `injection` | normal | – | – | 1.0% of 500 (2.0%) | 90.0% of 80 |" in said
    assert "| `injection` | 900 | 80 | – | 0.900 (0.85–0.94) | – | – | – |" in said
    assert "| `harm` | 10 | 0 | – | – | – | – | – |" in said
    assert "words of `advice`: 0.910" in said
    assert "| own/a | 20 | 5 | – | – | 0.700 (0.60–0.80) | – |" in said
    assert "| own/a | `unsupported` | 4 | 3 | 0.500 | 0.250 | 0.280 | – |" in said


def test_without_figures_it_claims_none(tmp_path: Path) -> None:
    said = written(tmp_path)
    assert "## Figures" not in said
    assert "fp32" not in said
    assert "## Limits" in said
