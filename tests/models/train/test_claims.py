from __future__ import annotations

import gzip
import json
from pathlib import Path

from lockgate_models.labels import ALL, UNSUPPORTED
from lockgate_models.train.claims import CLAIMS, made, read_claims
from lockgate_models.train.mixture import rows_for

CONTEXT = (
    "The ferry leaves Port Ellen at 9 in the morning. It carries 60 cars and is run by Mara Olsen. "
    "In winter the ferry does not run on Sunday. Tickets are sold at the harbour office."
)


def sources(folder: Path) -> None:
    for source in CLAIMS:
        path = folder / f"{source.path}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt") as out:
            for i in range(6):
                said = {
                    "id": f"c{i}", "label": i % 2, "response": "It leaves at 9.", "context": f"{CONTEXT} Row {i}.",
                    "prompt": "When?", "lang": "en", "split": "train" if i < 4 else "dev", "licence": "MIT",
                }  # fmt: skip
                out.write(json.dumps(said) + "\n")


def test_a_source_that_is_held_out_trains_nothing(tmp_path: Path) -> None:
    sources(tmp_path)
    rows = list(read_claims(tmp_path, None))
    held = [source.path for source in CLAIMS if source.held]
    assert held
    for row in rows:
        assert set(row.labels) <= set(ALL)
        if row.source.removesuffix("_made") in held:
            assert row.split == "dev"
    assert {row.split for row in rows} == {"train", "dev"}
    assert any(row.source.endswith("_made") for row in rows)
    assert all(row.prompt.endswith("Question: When?") for row in rows if not row.source.endswith("_made"))


def test_rows_made_of_a_context_say_where_they_are_wrong() -> None:
    rows = list(made(CONTEXT, "s", "g", "train", 1))
    assert rows == list(made(CONTEXT, "s", "g", "train", 1))
    assert {row.labels["groundedness"] for row in rows} == {0.0, 1.0}
    for row in rows:
        assert row.spans is not None
        assert bool(row.spans) == (row.labels["groundedness"] == 1.0)
        for start, end, name in row.spans:
            assert name == UNSUPPORTED
            assert row.text[start:end]
    assert list(made("One sentence only.", "s", "g", "train", 1)) == []


def test_our_families_bring_their_context(tmp_path: Path) -> None:
    lines = [
        {"family": "g-ferry", "labels": {"grounding": "marked"}, "prompt": CONTEXT,
         "texts": ["The boat goes at nine.", "It carries [[UNSUPPORTED:80]] cars."]},
        {"family": "s-x-flattering", "labels": {"sycophancy": 1}, "prompt": "User: 2+2=5", "texts": ["You are right!"]},
        {"family": "h-x-sure", "labels": {"hedging": 0}, "texts": ["It is 4."]},
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    rows = {row.text: row for row in rows_for("honesty", None, tmp_path)}
    right, wrong = rows["The boat goes at nine."], rows["It carries 80 cars."]
    assert (right.labels, right.spans) == ({"groundedness": 0.0}, [])
    assert wrong.labels == {"groundedness": 1.0}
    assert wrong.spans == [(11, 13, UNSUPPORTED)]
    assert wrong.context == CONTEXT
    assert rows["You are right!"].prompt == "User: 2+2=5"
    assert rows["It is 4."].labels == {"hedging": 0.0}
