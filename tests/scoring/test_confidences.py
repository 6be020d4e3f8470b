from __future__ import annotations

import json
import math
from random import Random
from typing import Any

import pytest

from lockgate.detectors.confidence import ConfidenceConfig, calibrated, normalised
from lockgate.scoring.confidences import Confidences, Known, known_of
from lockgate.scoring.rows import Bad


def read(row: Any) -> Known | Bad:
    return known_of(3, json.dumps(row).encode())


@pytest.mark.parametrize(
    ("row", "confidence", "right", "source"),
    [
        ({"id": 1, "logprobs": [-1, -0.5], "label": 1}, math.exp(-0.75), True, ""),
        ({"id": "a", "confidence": 0.25, "label": 0, "source": "sums"}, 0.25, False, "sums"),
        ({"id": "a", "logprobs": [0.0001], "label": 0, "source": 7, "more": "x"}, 1.0, False, ""),
        ({"id": "a", "logprobs": [-9999.0], "label": 0}, normalised([-9999.0]), False, ""),
    ],
)
def test_a_row(row: dict[str, Any], confidence: float, right: bool, source: str) -> None:
    found = read(row)
    assert isinstance(found, Known)
    assert found.confidence == pytest.approx(confidence)
    assert (found.right, found.source) == (right, source)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ([], "the row is no object"),
        ({"logprobs": [-1], "label": 1}, "id: is missing"),
        ({"id": 1, "logprobs": [-1]}, "label: must be 1 (right) or 0 (wrong)"),
        ({"id": 1, "logprobs": [-1], "label": True}, "label: must be 1 (right) or 0 (wrong)"),
        ({"id": 1, "logprobs": [-1], "label": [1]}, "label: must be 1 (right) or 0 (wrong)"),
        ({"id": 1, "label": 1}, "the row must have either logprobs or a confidence"),
        ({"id": 1, "logprobs": [-1], "confidence": 1, "label": 1}, "the row must have either logprobs or a confidence"),
        ({"id": 1, "logprobs": [], "label": 1}, "logprobs: must be numbers, 0 at most"),
        ({"id": 1, "logprobs": [-1, None], "label": 1}, "logprobs: must be numbers, 0 at most"),
        ({"id": 1, "logprobs": [0.5], "label": 1}, "logprobs: must be numbers, 0 at most"),
        ({"id": 1, "logprobs": "-1", "label": 1}, "logprobs: must be numbers, 0 at most"),
        ({"id": 1, "confidence": 1.2, "label": 1}, "confidence: must be a number from 0 to 1"),
        ({"id": 1, "confidence": "high", "label": 1}, "confidence: must be a number from 0 to 1"),
    ],
)
def test_what_is_no_row_is_said_without_its_words(row: Any, error: str) -> None:
    found = read(row)
    assert isinstance(found, Bad)
    assert (found.line, found.error) == (3, error)


def test_a_calibration_of_a_known_law_is_one_that_a_policy_takes() -> None:
    chance = Random(4)
    taken = Confidences()
    for i in range(3000):
        logprobs = [-chance.expovariate(3) for _ in range(chance.randint(1, 9))]
        right = chance.random() < normalised(logprobs) ** 2
        taken.add(known_of(i, json.dumps({"id": i, "logprobs": logprobs, "label": int(right)}).encode()), "abc"[i % 3])
    taken.add(Bad(1, None, "nothing"), "a")
    report = taken.report()
    assert (report.rows, report.bad, list(report.sources)) == (3000, 1, ["a", "b", "c"])
    assert report.total is not None
    assert report.after is not None
    assert report.after.error.at < report.total.error.low
    table = ConfidenceConfig.model_validate({"calibration": report.calibration}).calibration
    for confidence in (0.5, 0.6, 0.7, 0.8, 0.9):
        assert calibrated(confidence, table) == pytest.approx(confidence**2, abs=0.1)


def test_nothing_is_said_of_no_rows() -> None:
    report = Confidences().report()
    assert (report.rows, report.total, report.after, report.calibration) == (0, None, None, None)
