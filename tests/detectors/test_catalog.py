from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.detectors.catalog import CATALOG
from lockgate.detectors.protocol import Detector, PatternDetector
from lockgate.detectors.scanner import Scanner
from lockgate.policy.schema import Principle

LEAST: dict[str, dict[str, Any]] = {
    "patterns": {"patterns": {"PIN": r"\d{4}"}},
    "words": {"words": ["secret"]},
    "secrets": {},
    "pii": {},
    "invisible": {},
    "delimiters": {},
    "leak": {},
    "size": {"max_characters": 5},
    "confidence": {},
    "classifier": {"heads": ["injection"]},
    "groundedness": {"above": 0.5},
    "honesty": {"heads": ["sycophancy"], "above": 0.5},
    "topic": {"denied": {"weather": ["Will it rain?"]}},
    "language": {"allowed": ["en"]},
    "judge": {},
    "presidio": {"recognizers": ["EmailRecognizer"]},
}
"""The least that each detector's configuration may say."""

BUILT = [pytest.param(kind, marks=pytest.mark.full) if kind == "presidio" else kind for kind in CATALOG]
"""Every kind; one of them is an extra."""


def build(kind: str, config: dict[str, Any]) -> PatternDetector | Detector:
    entry = CATALOG[kind]
    context = {"principles": (Principle(id="kind", text="It is kind."),)}
    return entry.build(entry.config.model_validate(config, context=context))


def test_every_detector_is_here() -> None:
    assert set(CATALOG) == set(LEAST)


@pytest.mark.parametrize("kind", BUILT)
def test_a_detector_is_what_the_table_says(kind: str) -> None:
    detector = build(kind, LEAST[kind])
    assert isinstance(detector, (PatternDetector, Detector))
    assert detector.kind == kind
    assert detector.labels
    if isinstance(detector, PatternDetector):
        assert {spec.label for spec in detector.specs} <= detector.labels
        assert detector.reach.kind == "characters"
        assert 0 < detector.reach.characters <= 65_536


@pytest.mark.parametrize("kind", [kind for kind, entry in CATALOG.items() if entry.shipped])
def test_shipped_rows_compile(kind: str) -> None:
    """Their span forms are compiled when they are first needed, so a bad one would show only then."""
    detector = build(kind, LEAST[kind])
    assert isinstance(detector, PatternDetector)
    scanner = Scanner(detector.specs)
    for row in (*scanner._folded.rows, *scanner._raw.rows):
        row.regex()


@pytest.mark.parametrize("kind", CATALOG)
def test_configurations_are_closed_and_hide_what_they_got(kind: str) -> None:
    with pytest.raises(ValidationError) as raised:
        CATALOG[kind].config.model_validate({**LEAST[kind], "no_such_key": "some secret value"})
    assert "no_such_key" in str(raised.value)
    assert "some secret value" not in str(raised.value)


@pytest.mark.parametrize("kind", BUILT)
def test_two_of_a_kind_share_nothing_that_changes(kind: str) -> None:
    one, other = build(kind, LEAST[kind]), build(kind, LEAST[kind])
    assert one.labels == other.labels
    assert isinstance(one.labels, frozenset)
    assert isinstance(one.languages, frozenset)
