"""Answers that are known to be right or wrong, with the confidence that each was given in: how good it is, and its
calibration.

A row: ``{"id": 1, "logprobs": [-0.1, …], "label": 1, "source": "trivia"}``; or ``"confidence": 0.7`` in place of the tokens'
log probabilities. `label`: 1 right, 0 wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lockgate.detectors.confidence import normalised
from lockgate.scoring.evaluation import group_of
from lockgate.scoring.rows import Bad, object_of
from lockgate_models.calibration import Points, Reliability, crossed, isotonic, reliability

_ROUNDED = 0.01  # more than rounding may add to the logarithm of 1


class Known(NamedTuple):
    """A row: how sure, and whether right. `source` is empty where the row says none."""

    id: str | int
    confidence: float
    right: bool
    source: str
    said: Mapping[str, Any]


def known_of(number: int, raw: bytes) -> Known | Bad:
    """What a line says, or what is wrong with it."""
    said = object_of(number, raw)
    if isinstance(said, Bad):
        return said
    key: str | int = said["id"]
    label = said.get("label")
    if isinstance(label, bool) or label not in (0, 1):
        return Bad(number, key, "label: must be 1 (right) or 0 (wrong)")
    if ("logprobs" in said) == ("confidence" in said):
        return Bad(number, key, "the row must have either logprobs or a confidence")
    if "logprobs" in said:
        logprobs = said["logprobs"]
        if not isinstance(logprobs, list) or not logprobs or not all(_is(one, -np.inf, _ROUNDED) for one in logprobs):
            return Bad(number, key, "logprobs: must be numbers, 0 at most")
        confidence = normalised(logprobs)
    else:
        if not _is(said["confidence"], 0, 1):
            return Bad(number, key, "confidence: must be a number from 0 to 1")
        confidence = float(said["confidence"])
    source = said.get("source")
    return Known(key, confidence, bool(label), source if isinstance(source, str) else "", said)


def _is(value: Any, low: float, high: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and low <= value <= high


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Figures of a confidence as it came, in `total` and by source; of `after` its calibration, each row by a map made of
    others; and the `calibration` made of all. None where there are too few rows of either sort."""

    rows: int
    bad: int
    total: Reliability | None
    after: Reliability | None
    sources: Mapping[str, Reliability]
    calibration: Points | None


class Confidences:
    """Takes rows one by one; keeps numbers of them."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, bool, int]] = []
        self._sources: defaultdict[str, list[int]] = defaultdict(list)
        self._bad = 0

    def add(self, row: Known | Bad, source: str) -> None:
        """`source`: where the row comes from, unless it says so itself."""
        if isinstance(row, Bad):
            self._bad += 1
            return
        source = row.source or source
        self._sources[source].append(len(self._rows))
        self._rows.append((row.confidence, row.right, group_of(source, row.said.get("group"), row.id)))

    def report(self) -> Calibrated:
        scores = np.array([row[0] for row in self._rows], np.float64)
        truth = np.array([row[1] for row in self._rows], np.bool_)
        groups = np.array([row[2] for row in self._rows], np.int64)
        after = crossed(scores, truth, groups)
        parts = {name: reliability(scores[at], truth[at], groups[at]) for name, at in sorted(self._sources.items())}
        return Calibrated(
            len(self._rows),
            self._bad,
            reliability(scores, truth, groups),
            None if after is None else reliability(after, truth, groups),
            {name: part for name, part in parts.items() if part is not None},
            isotonic(scores, truth),
        )
