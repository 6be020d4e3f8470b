"""Calibration and thresholds from scores: pure functions.

A label's score is made a probability by a temperature and a bias, fitted on the calibration rows. Its thresholds hold a
rate of false alarms not only over all negatives: ordinary texts must not pay for what is rare among them, so the rate
holds for them alone as well, and for look-alikes eight times the rate. The highest of the three counts. Among the
negatives of some families are many posts from social media, rude ones and wrongly labelled ones, which are not what a
prompt is like: there all negatives together have a multiple of the rate, and ordinary texts still have it.

A family whose labels are kinds of its first one says yes if any of them does. So its labels share the rate: half goes to
the first, the kinds have the rest in equal parts, and all are stretched by one factor until the family has its rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate_models.labels import HONESTY
from lockgate_models.manifest import Calibration, Sensitivity, Threshold
from lockgate_models.metrics import threshold_at_fpr, upper_bound

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

RATES: Mapping[Sensitivity, float] = {"low": 0.002, "normal": 0.01, "high": 0.05}
HONEST: Mapping[Sensitivity, float] = {"low": 0.9, "normal": 0.5, "high": 0.25}
"""Of honesty's questions, where a false alarm costs a footnote and no refusal: the calibrated probability from which on
one is answered with yes. Rates would not do: where the rows of both sorts lie far apart, any cut between them has a rate
of nothing, and the lowest one is no good to texts that are like neither."""
SENTENCES: Mapping[Sensitivity, float] = {"low": 0.9, "normal": 0.75, "high": 0.5}
"""Of the sentences of an answer: it has several, and one that is wrongly marked marks the answer."""
GENERAL: Mapping[str, float] = {"indirect": 2.0, "harm": 5.0, "toxicity": 5.0, "bias": 5.0}
"""Family → so many times a rate may all its negatives together be flagged; once, of those that are not here."""
LOOKALIKES = 8.0
"""So many times a rate may look-alikes be flagged."""

_FIRST = 0.5  # of the rate, the share of a family's first label
_FEWEST = 40  # negatives of a group, below which it says nothing
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Known:
    """One label's rows: `scores`, and `truth` where something is known of it, `group` as in `split.kind_of`."""

    scores: Floats
    truth: Truth
    known: Truth

    def of(self, chosen: Truth) -> tuple[Floats, Truth]:
        mine = chosen & self.known
        return self.scores[mine], self.truth[mine]


def fixed(family: str) -> Mapping[Sensitivity, float] | None:
    """Thresholds that are set and not sought; None where they are sought for a rate."""
    if family not in HONESTY:
        return None
    return SENTENCES if family == "groundedness" else HONEST


def logit(scores: Floats) -> Floats:
    """The inverse of the sigmoid, as far as single precision has kept it."""
    inside = np.clip(scores, 1e-13, 1 - 6e-8)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))


def platt(logits: Floats, truth: Truth) -> Calibration | None:
    """Temperature and bias with the least log loss, by Newton's method; targets as Platt smooths them. None where there
    is too little to go by, or where higher logits are not likelier right."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if positives < 10 or negatives < 10:
        return None
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    inputs = np.stack([logits, np.ones_like(logits)])
    at = np.array([1.0, 0.0])
    for _ in range(50):
        said = sigmoid(at @ inputs)
        slope = inputs @ (said - target) + 1e-6 * (at - [1.0, 0.0])
        bend = (inputs * (said * (1 - said))) @ inputs.T + 1e-6 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        at = at - step
        if float(np.abs(step).max()) < 1e-9:
            break
    scale, shift = float(at[0]), float(at[1])
    if not scale > 0.05:
        return None
    return Calibration(temperature=round(1 / scale, 4), bias=round(shift / scale, 4))


def groups_of(kinds: Sequence[str], general: float = 1.0) -> list[tuple[Truth, float]]:
    """(rows, times the rate) for each group in which the rate must hold; `general` times for all together."""
    found = np.array(kinds)
    return [
        (np.ones(len(found), bool), general),
        (np.asarray(found == "ordinary"), 1.0),
        (np.asarray(found == "lookalike"), LOOKALIKES),
    ]


def single(label: Known, kinds: Sequence[str], rate: float, general: float = 1.0) -> float:
    """The threshold of a label for itself. 1 where there is no negative."""
    found = []
    for number, (rows, times) in enumerate(groups_of(kinds, general)):
        scores, truth = label.of(rows)
        if (negatives := int((~truth).sum())) and (not number or negatives >= _FEWEST):
            found.append(threshold_at_fpr(scores, truth, min(rate * times, 0.5)))
    return max(found, default=1.0)


def joint(labels: Sequence[Known], kinds: Sequence[str], rate: float, general: float = 1.0) -> list[float]:
    """The thresholds of a family's labels, the first of which says whether any holds, so that the rate is the family's.
    None of them is below what the label would have for itself."""
    found = np.array([single(label, kinds, rate, general) for label in labels])
    for rows, times in groups_of(kinds, general):
        first = labels[0]
        negatives = rows & first.known & ~first.truth
        if negatives.sum() < _FEWEST:
            continue
        scores = np.stack([label.scores[negatives] for label in labels])
        found = np.maximum(found, _stretched(scores, min(rate * times, 0.5)))
    return [float(value) for value in found]


def _stretched(scores: Floats, rate: float) -> Floats:
    """Thresholds of labels (labels, texts), all texts negative, that flag at most `rate` of the texts together."""
    shares = np.array([_FIRST, *[(1 - _FIRST) / max(1, len(scores) - 1)] * (len(scores) - 1)])
    ranked = -np.sort(-scores, axis=1)
    low, high = 0.0, float(1 / shares.min())
    best = _cut(ranked, shares * 0.0)
    for _ in range(40):
        middle = (low + high) / 2
        cuts = _cut(ranked, np.minimum(shares * middle * rate, rate))
        if (scores >= cuts[:, None]).any(0).mean() <= rate:
            low, best = middle, cuts
        else:
            high = middle
    return best


def _cut(ranked: Floats, rates: Floats) -> Floats:
    """Just above the first score that is not allowed any more; scores fall along each row."""
    allowed = np.floor(rates * ranked.shape[1]).astype(int)
    return np.asarray(np.nextafter(ranked[np.arange(len(ranked)), allowed], np.inf))


def measured(label: Known, at: float) -> Threshold:
    """The threshold, rounded up, with its figures."""
    at = min(1.0, math.ceil(at * 10**_DIGITS) / 10**_DIGITS)
    scores, truth = label.of(np.ones(len(label.scores), bool))
    flagged, negatives, positives = int((scores[~truth] >= at).sum()), int((~truth).sum()), int(truth.sum())
    return Threshold(
        at=at,
        fpr=round(flagged / negatives, 4) if negatives else None,
        fpr_upper=round(upper_bound(flagged, negatives), 4) if negatives else None,
        recall=round(float((scores[truth] >= at).mean()), 4) if positives else None,
        n=len(scores),
    )


def ordered(points: Mapping[Sensitivity, float]) -> dict[Sensitivity, float]:
    """The same, but none lower than that of a higher sensitivity."""
    found: dict[Sensitivity, float] = {}
    height = 0.0
    for name in ("high", "normal", "low"):
        height = max(height, points[name])
        found[name] = height
    return found
