from __future__ import annotations

from typing import Any

import pytest

from lockgate.detectors import pii
from lockgate.scoring.spans import Span
from lockgate.scoring.truth import SPAN_LABELS, truth_of

ORDINARY = {"injection": False, "harm": False, "toxicity": False}


@pytest.mark.parametrize(
    ("task", "label", "labels"),
    [
        ("jailbreak", 1, {"injection": True}),
        ("jailbreak", 0, {"injection": False}),
        ("indirect_injection", True, {"indirect": True}),
        ("harmful_request", 1, {"harm": True}),
        ("benign", 0, ORDINARY),
        ("benign", None, ORDINARY),
        ("bias", 1, {"bias": True}),
        ("bias", ["toxic"], {"toxicity": True}),
        ("moderation", [], {"toxicity": False, "harm.hate": False}),
        ("moderation", ["offensive"], {"toxicity": True, "harm.hate": False}),
        ("moderation", ["hateful", "fearful"], {"toxicity": True, "harm.hate": True}),
        ("moderation", ["sexism"], {"toxicity": True, "harm.hate": True}),
        ("moderation", ["disrespectful"], {}),
        ("moderation", ["offensive", "fearful"], {"toxicity": True}),
        ("moderation", "hate", {}),
        ("regulated_advice", ["legal"], {"advice.none": False, "advice.legal": True, "advice.medical": False, "advice.financial": False}),
        ("regulated_advice", [], {"advice.none": True, "advice.legal": False, "advice.medical": False, "advice.financial": False}),
        ("regulated_advice", ["financial_service"], {}),
        ("regulated_advice", ["legal", "medical"], {}),
        ("jailbreak", "yes", {}),
        ("jailbreak", [1], {}),
        ("jailbreak", 0.5, {}),
        ("preference", 1, {}),
        (["jailbreak"], 1, {}),
    ],
)  # fmt: skip
def test_a_task_says_what_its_label_means(task: Any, label: Any, labels: dict[str, bool]) -> None:
    assert truth_of({"task": task, "label": label, "text": "a"}).labels == labels


def test_who_looked_for_hate_alone_says_nothing_of_toxicity() -> None:
    row = {"task": "moderation", "text": "a", "source": "rewire-online/edos"}
    assert truth_of({**row, "label": []}).labels == {"harm.hate": False}
    assert truth_of({**row, "label": ["sexism"]}).labels == {"toxicity": True, "harm.hate": True}


def test_labels_may_be_named() -> None:
    said = {
        "labels": {"injection": 1, "harm.cyber": 0, "advice": "legal", "bias": "?", "toxicity": 0.4},
        "task": "benign",
    }
    assert truth_of(said).labels == {
        "injection": True,
        "harm.cyber": False,
        "advice.none": False,
        "advice.legal": True,
        "advice.medical": False,
        "advice.financial": False,
    }
    assert truth_of({"labels": {"harm.cyber": True}}).labels == {"harm.cyber": True, "harm": True}
    assert truth_of({"labels": {"harm.cyber": True, "harm": 0}}).labels == {"harm.cyber": True, "harm": False}
    assert truth_of({"labels": {}}).labels == {}


def test_spans_have_our_labels() -> None:
    spans = [{"start": 0, "end": 3, "label": "PER"}, {"start": 4, "end": 9, "label": "TITLE"}]
    truth = truth_of({"task": "pii", "text": "Ada Major", "spans": spans})
    assert truth.spans == ("text", [Span(0, 3, "PERSON", 1.0), Span(4, 9, "TITLE", 1.0)])
    assert set(SPAN_LABELS.values()) <= {*pii.KINDS, *pii.NAMES}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"task": "pii", "text": "a", "spans": []}, "text"),
        ({"prompt": "a", "response": "b", "spans": []}, "response"),
        ({"prompt": "a", "context": "b", "spans": [{"field": "context", "start": 0, "end": 1, "label": "PER"}]}, "context"),
        ({"task": "pii", "text": "a"}, None),
        ({"task": "pii", "text": "a", "spans": "b"}, None),
        ({"task": "pii", "spans": []}, None),
        ({"task": "pii", "text": "a", "spans": [{"field": "id", "start": 0, "end": 1, "label": "PER"}]}, None),
        ({"task": "indirect_injection", "text": "a", "spans": []}, None),
    ],
)  # fmt: skip
def test_spans_are_those_of_a_field(row: dict[str, Any], field: str | None) -> None:
    found = truth_of(row).spans
    assert (None if found is None else found[0]) == field


def test_spans_that_are_none_are_passed_over() -> None:
    spans = [{"start": 3, "end": 3, "label": "PER"}, {"start": "0", "end": 3, "label": "PER"}, 7, {"start": 0}]
    assert truth_of({"task": "pii", "text": "a", "spans": spans}).spans == ("text", [])
