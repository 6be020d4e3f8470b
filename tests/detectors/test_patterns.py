from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.detectors.patterns import PatternsConfig, build
from lockgate.errors import PatternError
from looking import Looker


def look(patterns: dict[str, Any], text: str) -> list[tuple[str, str]]:
    return Looker(build(PatternsConfig.model_validate({"patterns": patterns})))(text)


@pytest.mark.parametrize(
    ("patterns", "text", "found"),
    [
        ({"TICKET": r"\bTK-\d{4}\b"}, "see TK-1234 and TK-12345", [("TICKET", "TK-1234")]),
        ({"NAME": r"employee: (\w+)"}, "employee: Ada; boss: Bob", [("NAME", "Ada")]),
        ({"WORD": {"regex": "colou?r", "ignore_case": True}}, "Color COLOUR", [("WORD", "Color"), ("WORD", "COLOUR")]),
        ({"WORD": "colour"}, "COLOUR", []),
        ({"A": "x1", "B": "x2"}, "x2 x1", [("B", "x2"), ("A", "x1")]),
        ({"lower_case": "x"}, "x", [("lower_case", "x")]),
    ],
)
def test_patterns(patterns: dict[str, Any], text: str, found: list[tuple[str, str]]) -> None:
    assert look(patterns, text) == found


def test_a_row_has_the_score_and_the_width_that_were_asked_for() -> None:
    config = PatternsConfig.model_validate({"patterns": {"A": {"regex": "a{2,300}", "max_width": 300, "score": 0.4}}})
    detector = build(config)
    (spec,) = detector.specs
    assert (spec.score, spec.max_width) == (0.4, 300)
    assert detector.reach.characters == 300
    assert detector.labels == {"A"}


@pytest.mark.parametrize("regex", ["(?=a)b", r"(a)\1", "a{300}", "(a", "a*", "(a)(b)"])
def test_a_pattern_that_cannot_be_run_names_its_label(regex: str) -> None:
    with pytest.raises(PatternError, match=r"^MINE: ") as caught:
        build(PatternsConfig.model_validate({"patterns": {"GOOD": "x", "MINE": regex}}))
    assert caught.value.problem


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"patterns": {}},
        {"patterns": {"A": ""}},
        {"patterns": {"A": {"regex": ""}}},
        {"patterns": {"A": {"ignore_case": True}}},
        {"patterns": {"A": {"regex": "x", "flags": "i"}}},
        {"patterns": {"A": {"regex": "x", "score": 0}}},
        {"patterns": {"A": {"regex": "x", "score": 1.5}}},
        {"patterns": {"A": {"regex": "x", "max_width": 0}}},
        {"patterns": {"two words": "x"}},
        {"patterns": {"1A": "x"}},
        {"patterns": {"A": 3}},
        {"pattern": {"A": "x"}},
    ],
)
def test_bad_configuration(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PatternsConfig.model_validate(config)
