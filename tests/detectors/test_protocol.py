from __future__ import annotations

from collections.abc import Sequence
from dataclasses import FrozenInstanceError

import pytest

from lockgate.detectors.protocol import (
    MAX_WIDTH,
    SENTENCE,
    WHOLE,
    Detector,
    PatternDetector,
    PatternSpec,
    Reach,
    accept_if,
)
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding


class Counting:
    kind = "counting"
    labels = frozenset({"MANY"})
    languages: frozenset[str] = frozenset()
    reach: Reach = WHOLE
    gives_spans = False

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> list[Finding]:
        return [Finding(self.kind, "MANY", 1.0, segment.where) for segment in segments]


class Mute:
    kind = "mute"
    labels = frozenset({"NONE"})


def test_what_is_a_detector() -> None:
    assert isinstance(Counting(), Detector)
    assert not isinstance(Mute(), Detector)
    assert not isinstance(PatternDetector("p", (), frozenset()), Detector)


def test_a_table_reaches_as_far_as_its_widest_row() -> None:
    specs = (PatternSpec("A", "a"), PatternSpec("B", "b{3}", max_width=3), PatternSpec("C", "c+", max_width=1000))
    assert PatternDetector("p", specs, frozenset("ABC")).reach == Reach("characters", 1000)
    assert PatternDetector("p", specs[1:2], frozenset("B")).reach == Reach("characters", 3)
    assert PatternDetector("p", (), frozenset()).reach == Reach("characters", 0)


def test_defaults_of_a_row() -> None:
    spec = PatternSpec("A", "a")
    assert (spec.score, spec.ignore_case, spec.max_width, spec.view) == (1.0, False, MAX_WIDTH, "folded")
    assert MAX_WIDTH == 256
    with pytest.raises(FrozenInstanceError):
        spec.label = "B"  # type: ignore[misc]


def test_rows_are_values() -> None:
    assert PatternSpec("A", "a") == PatternSpec("A", "a")
    assert len({PatternSpec("A", "a"), PatternSpec("A", "a"), PatternSpec("A", "b")}) == 2


def test_reaches() -> None:
    assert (SENTENCE.kind, WHOLE.kind) == ("sentence", "whole")
    assert Reach("characters", 5) != Reach("characters", 6)


def test_a_check_of_the_matched_text() -> None:
    validate = accept_if(str.isupper)
    assert list(validate("abCDef", 2, 4)) == [(2, 4)]
    assert list(validate("abCDef", 1, 4)) == []
