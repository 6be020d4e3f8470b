from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.detectors import classifier
from lockgate.detectors.classifier import ClassifierConfig
from lockgate.detectors.model import MODELS, Model
from lockgate.detectors.names import NamesDetector
from lockgate.detectors.protocol import Doubt
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.scoring.rows import Bad, Row
from lockgate.scoring.scorer import Judged, Scorer
from lockgate.verdict import Finding

GERMAN = "Kannst du mir sagen, wann der nächste Zug an die Küste fährt?"


async def judged(scorer: Scorer, **texts: str) -> Judged:
    (found,) = await scorer.judged([Row(1, "a", texts)])
    assert isinstance(found, Judged)
    return found


async def test_every_head_is_scored_and_judged(tiny: Model) -> None:
    found = await judged(Scorer(tiny), text="The attack of the calm")
    assert list(found.scores) == ["injection", "harm", "harm.weapons", "advice.none", "advice.legal"]
    assert found.scores["injection"] == pytest.approx(0.952574, abs=1e-6)
    assert found.verdict == {"injection": True, "harm": False, "advice": "none"}
    assert found.public() == {
        "id": "a",
        "scores": found.scores,
        "verdict": found.verdict,
        "spans": [],
        "unverified": [],
    }
    assert (await judged(Scorer(tiny), text="my law")).verdict == {"injection": False, "harm": False, "advice": "legal"}


async def test_a_head_without_its_input_is_absent(tiny: Model) -> None:
    scorer = Scorer(tiny)
    assert set((await judged(scorer, response="a bomb")).verdict) == {"harm"}
    found = await judged(scorer, context="a bomb")
    assert (found.scores, found.verdict) == ({}, {})
    both = await judged(scorer, prompt="an attack", response="calm")
    assert both.verdict == {"injection": True, "harm": False, "advice": "none"}


async def test_an_empty_text_is_a_text(tiny: Model) -> None:
    assert (await judged(Scorer(tiny), text="")).verdict == {"injection": False, "harm": False, "advice": "none"}


async def test_of_exclusive_labels_none_is_that_of_the_part_that_says_most(tiny: Model) -> None:
    found = await judged(Scorer(tiny), text="calm " * 75 + ". " + "law " * 60 + ".")
    assert found.scores["advice.legal"] > 0.9
    assert found.scores["advice.none"] < 0.1
    assert found.verdict["advice"] == "legal"


async def test_heads_may_be_chosen(tiny: Model) -> None:
    found = await judged(Scorer(tiny, ["harm.weapons", "advice.legal"]), text="a bomb")
    assert list(found.scores) == ["harm.weapons", "advice.none", "advice.legal"]
    assert found.verdict == {"harm": True, "advice": "none"}
    assert "spans" not in found.public()
    assert (await judged(Scorer(tiny, ["pii"]), text="a bomb")).public()["spans"] == []
    with pytest.raises(PolicyError, match="no head 'injektion'"):
        Scorer(tiny, ["injektion"])


async def test_spans_are_those_of_rules_and_names(tiny: Model) -> None:
    found = await judged(Scorer(tiny), prompt="Write to Ada King", context="é: ada@example.org, Paris")
    said = [(s["field"], s["start"], s["end"], s["label"]) for s in found.public()["spans"]]
    assert said == [("prompt", 9, 17, "PERSON"), ("context", 3, 18, "EMAIL_ADDRESS"), ("context", 20, 25, "LOCATION")]


async def test_what_a_model_can_not_say_is_said(tiny: Model) -> None:
    assert Scorer(tiny).missing == []
    scorer = Scorer(MODELS.named("bare"))
    assert scorer.missing == [
        "no thresholds for injection, harm, advice: no verdict on that",
        "no tags: spans are those of rules alone",
    ]
    found = await judged(scorer, text="An attack by ada@example.org")
    assert found.verdict == {}
    assert found.scores["injection"] > 0.9
    assert [s["label"] for s in found.public()["spans"]] == ["EMAIL_ADDRESS"]


async def test_an_unknown_language_is_unverified(tiny: Model) -> None:
    found = await judged(Scorer(tiny), text=GERMAN)
    assert found.unverified == ["injection", "harm", "advice", "names"]
    found = await judged(Scorer(tiny, ["injection", "harm"]), text=f"attack {GERMAN}")
    assert (found.verdict, found.unverified) == ({"injection": True, "harm": False}, ["harm"])


async def test_a_row_that_breaks_the_model_breaks_no_other(tiny: Model) -> None:
    rows = [Row(1, "a", {"text": "calm"}), Row(2, "b", {"text": "endless"}), Row(3, "c", {"text": "attack"})]
    first, second, third = await Scorer(tiny).judged(rows)
    assert second == Bad(2, "b", "it could not be judged: the model answered with what is no number")
    assert [isinstance(one, Judged) for one in (first, third)] == [True, True]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["calm", "attack", "law", "Ada", "bomb.", "A longer word.", "\n", GERMAN]), max_size=90)
)
async def test_a_file_is_judged_as_a_prompt_is(tiny: Model, words: list[str]) -> None:
    text = " ".join(words)
    found = await judged(Scorer(tiny), text=text)
    segment = Segment("text", "user", "text", text)
    exchange = Exchange("01", "chat")
    for family in ("injection", "harm", "advice"):
        detector = classifier.build(ClassifierConfig.model_validate({"heads": family, "model": "tiny"}))
        answer = await detector.detect([segment], exchange)
        labels = {one.label for one in answer if isinstance(one, Finding)}
        word = found.verdict[family]
        assert (word if isinstance(word, bool) else word != "none") == bool(labels)
        assert (family in found.unverified) == any(isinstance(one, Doubt) for one in answer)
        for one in answer:
            if isinstance(one, Finding):
                assert one.score <= found.scores[one.label] + 1e-6
        for label in labels:
            highest = max(one.score for one in answer if isinstance(one, Finding) and one.label == label)
            assert highest == pytest.approx(found.scores[label], abs=1e-6)
    names = await NamesDetector("pii", tiny, ["PERSON"], 0.5).detect([segment], exchange)
    assert {one.span for one in names if isinstance(one, Finding)} == {
        (span.start, span.end) for _, span in found.spans or () if span.label == "PERSON"
    }
