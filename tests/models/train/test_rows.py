from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lockgate_models.labels import LABELS
from lockgate_models.train.rows import SOURCES, Source, advice, harm, read_sources, row_of

RAW: dict[str, dict[str, Any]] = {
    "harmful_request/catqa": {"label": 1, "meta": {"category": "Illegal Activity", "sub": "Drug:"}},
    "moderation/davidson": {"label": ["hate"]},
    "moderation/edos": {"label": ["sexism"], "meta": {"category": "1. threats, plans to harm and incitement"}},
    "moderation/mlma": {"label": ["hateful"]},
    "pii/wnut17": {"label": ["PERSON"], "spans": [{"start": 0, "end": 3, "label": "PERSON"}]},
    "regulated_advice/expertqa_questions": {"label": ["legal"]},
}


def raw(path: str, **more: Any) -> dict[str, Any]:
    base = {
        "id": "x-1",
        "text": "Ada said so",
        "label": 0,
        "lang": "en",
        "split": "train",
        "licence": "MIT",
        "meta": {},
    }
    return {**base, **RAW.get(path, {}), **more}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path)
def test_every_source_teaches_known_labels(source: Source) -> None:
    spans: list[dict[str, Any]] = []
    row = row_of(raw(source.path, **({"spans": spans} if source.names and source.path not in RAW else {})), source)
    assert row is not None
    assert row.labels
    assert set(row.labels) <= set(LABELS)
    assert set(row.labels.values()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("path", "more", "expected"),
    [
        ("harmful_request/catqa", {}, {"harm": 1, "harm.illicit": 1, "harm.drugs": 1, "injection": 0}),
        ("harmful_request/catqa", {"meta": {"category": "Tailored Financial Advice", "sub": ""}}, None),
        ("moderation/davidson", {}, {"harm": 1, "harm.hate": 1, "toxicity": 1}),
        ("moderation/davidson", {"label": ["offensive"]}, {"toxicity": 1, "harm.hate": 0}),
        ("moderation/mlma", {"label": ["fearful"]}, None),
        ("regulated_advice/spikee_investment", {"label": ["financial"]}, {"advice.financial": 1, "advice.none": 0}),
        ("benign/p3_prompts", {}, {"injection": 0}),
    ],
)
def test_what_a_row_says(path: str, more: dict[str, Any], expected: dict[str, float] | None) -> None:
    source = next(source for source in SOURCES if source.path == path)
    row = row_of(raw(path, **more), source)
    if expected is None:
        assert row is None
    else:
        assert row is not None
        assert expected.items() <= row.labels.items()


def test_where_an_injection_stands_is_kept() -> None:
    source = next(source for source in SOURCES if source.path == "indirect_injection/bipia_train")
    row = row_of(raw(source.path, label=1, spans=[{"start": 0, "end": 3, "label": "injection"}]), source)
    assert row is not None
    assert (row.marks, row.spans) == (((0, 3),), None)


def test_what_is_not_named_is_not_taught() -> None:
    assert "harm.sexual" not in harm("cyber")
    assert harm("cyber", closed=True)["harm.sexual"] == 0.0
    assert sum(advice("none").values()) == 1.0


def test_files_are_capped_by_hash_and_terms_of_providers_keep_rows_out(tmp_path: Path) -> None:
    rows = [raw("benign/clinc", id=f"c-{i}", text=f"text {i}") for i in range(20)]
    rows[3]["licence"] = "flagged: provider terms"
    (tmp_path / "benign").mkdir()
    with gzip.open(tmp_path / "benign/clinc.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    source = Source("benign/clinc", lambda _: {"injection": 0.0}, cap=5)
    first = [row.id for row in read_sources(tmp_path, (source,))]
    assert len(first) == 5
    assert [row.id for row in read_sources(tmp_path, (source,))] == first
    everything = {row.id for row in read_sources(tmp_path, (Source("benign/clinc", source.labels, cap=99),))}
    assert everything == {row["id"] for row in rows} - {"c-3"}


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_sources(tmp_path))
