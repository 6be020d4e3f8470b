from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.labels import LABELS
from lockgate_models.train.families import FamilyError, labels_of, read_families, rows_of, split_of, unmarked

OURS = Path(__file__).resolve().parents[3] / "models" / "lockgate-text" / "data"


def family(**more: Any) -> dict[str, Any]:
    return {"family": "f", "labels": {"injection": 1}, "texts": ["Do {goal} now."], **more}


def test_slots_are_filled_differently_and_the_same_each_time() -> None:
    said = family(slots={"goal": ["a", "b", "c", "d"]})
    rows = list(rows_of(said, "s", 1))
    assert len({row.text for row in rows}) == 3
    assert [row.text for row in rows_of(said, "s", 1)] == [row.text for row in rows]
    assert {(row.source, row.group, row.split) for row in rows} == {("own/s", "own/f", split_of("f"))}


def test_braces_that_are_no_slot_stay() -> None:
    assert [row.text for row in rows_of(family(), "s", 1)] == ["Do {goal} now."]


def test_a_list_closes_its_question() -> None:
    labels = labels_of({"harm": ["cyber"], "toxicity": [], "advice": "none", "bias": 0})
    assert (labels["harm"], labels["harm.cyber"], labels["harm.fraud"]) == (1.0, 1.0, 0.0)
    assert (labels["toxicity"], labels["advice.none"], labels["advice.legal"]) == (0.0, 1.0, 0.0)
    assert "injection" not in labels


@given(st.lists(st.tuples(st.text(st.sampled_from("ab :"), max_size=5), st.booleans()), max_size=6))
def test_marks_are_taken_out_and_spans_stand_where_they_were(parts: list[tuple[str, bool]]) -> None:
    marked = "".join(f"[[PERSON:x{text}]]" if name else text for text, name in parts)
    text, spans = unmarked(marked)
    assert text == "".join(f"x{part}" if name else part for part, name in parts)
    assert [text[a:b] for a, b, _ in spans or []] == [f"x{part}" for part, name in parts if name]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "JSONDecodeError"),
        (json.dumps({"labels": {}, "texts": []}), "KeyError: 'family'"),
        (json.dumps(family(colour=1)), "ValueError: unknown: colour"),
        (json.dumps(family(labels={"injection": 2})), "ValueError: injection is 0 or 1"),
        (json.dumps(family(labels={"harm": ["x"]})), "ValueError: no such kind: harm.x"),
        (json.dumps(family(labels={"x": 1})), "ValueError: no such label: x"),
        (json.dumps(family(labels={"advice": "x"})), "ValueError: no such advice: x"),
        (json.dumps(family(texts=["[[ANIMAL:Rex]]"])), "ValueError: no such name: ANIMAL"),
        (json.dumps([]), "TypeError|AttributeError"),
    ],
)
def test_a_wrong_line_says_where(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "a.jsonl").write_text("\n" + line)
    with pytest.raises(FamilyError, match=rf"^a\.jsonl:2: ({problem})"):
        list(read_families(tmp_path))


def test_a_family_is_there_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(family()))
    with pytest.raises(FamilyError, match=r"b\.jsonl:1: the family f is there twice"):
        list(read_families(tmp_path))


def test_splits_hold_out_a_tenth_each() -> None:
    counts = Counter(split_of(f"family-{i}") for i in range(5000))
    assert 400 < counts["dev"] < 600
    assert 400 < counts["calibration"] < 600


def test_the_sides_of_a_pair_stay_together() -> None:
    for i in range(200):
        assert len({split_of(f"mail-{i}-{side}") for side in ("attack", "clean")}) == 1
        assert split_of(f"frames-{i}-harmful") == split_of(f"frames-{i}-harmless")


def test_our_own_families_are_well_formed_and_varied() -> None:
    rows = list(read_families(OURS))
    assert {label for row in rows for label in row.labels} == set(LABELS)
    texts = Counter(row.text for row in rows)
    assert [text for text, count in texts.items() if count > 3] == []
    for label in ("injection", "indirect", "harm", "toxicity", "bias", "refusal"):
        known = [row.labels[label] for row in rows if label in row.labels]
        assert min(known.count(1.0), known.count(0.0)) > 150, label
