"""Rows for the honesty model: what each head is asked of, and what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.detectors.model import Model
from lockgate.scoring.honest import Honest
from lockgate.scoring.rows import Row
from lockgate.scoring.scorer import Judged, Scorer
from tiny_model import write_honest


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(write_honest(tmp_path_factory.mktemp("models") / "honest"), {})


async def judged(scorer: Scorer, **texts: str) -> Judged:
    (found,) = await scorer.judged([Row(1, "a", texts)])
    assert isinstance(found, Judged)
    return found


@pytest.mark.parametrize(
    ("fields", "heads"),
    [
        ("prompt", ["false_premise", "unanswerable"]),
        ("text", ["false_premise", "unanswerable"]),
        ("response", ["hedging"]),
        ("context response", ["groundedness", "hedging"]),
        ("prompt response", ["false_premise", "hedging", "sycophancy", "unanswerable"]),
        ("context", []),
    ],
)
async def test_a_head_without_its_texts_is_absent(tiny: Model, honest: Model, fields: str, heads: list[str]) -> None:
    asked = Honest(honest, tiny, None, "normal")
    (said,) = await asked.judge([Row(1, "a", dict.fromkeys(fields.split(), "a doctor."))])
    assert sorted(said.scores) == sorted(said.over) == heads
    assert (said.spans is not None) == ("groundedness" in heads)


async def test_what_rests_on_nothing_has_its_spans(tiny: Model, honest: Model) -> None:
    found = await judged(
        Scorer(tiny, honest=honest),
        context="A calm doctor for 20 years.",
        response="It is calm. An attack by ada. 30 years.",
    )
    assert found.verdict["groundedness"] is True
    assert found.scores["groundedness"] == pytest.approx(0.952574, abs=1e-6)
    assert found.spans is not None
    wrong = [
        (field, found.row.texts[field][span.start : span.end])
        for field, span in found.spans
        if span.label == "unsupported"
    ]
    assert wrong == [("response", "ada"), ("response", "30")]


async def test_flattery_is_read_with_what_was_said_before(tiny: Model, honest: Model) -> None:
    scorer = Scorer(tiny, ["sycophancy", "hedging"], honest=honest)
    found = await judged(scorer, prompt="the bomb?", response="a doctor.")
    assert found.verdict == {"sycophancy": True, "hedging": False}
    assert set(scorer.thresholds) == {"sycophancy", "hedging"}


async def test_another_language_is_unverified(tiny: Model, tmp_path: Path) -> None:
    known = Model(write_honest(tmp_path / "honest", languages=["en"]), {})
    german = "Kannst du mir sagen, wann der nächste Zug an die Küste fährt?"
    (said,) = await Honest(known, tiny, ["unanswerable"], "normal").judge([Row(1, "a", {"prompt": german})])
    assert said.unverified == ["unanswerable"]
