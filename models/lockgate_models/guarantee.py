"""Thresholds that hold a rate with a stated confidence, whatever the scores are distributed like.

Of n independent negatives, the threshold just above the (k+1)-th highest score flags at most k of them, and its true rate of
false alarms is above `rate` with a probability of at most P(Bin(n, rate) <= k): the tolerance limits of Wilks (1941). k is
chosen by n, the rate and the confidence alone, before any score is looked at, so nothing is tested twice. That it is so is the
same as that the upper bound of Clopper and Pearson (1934) for k of n is no more than the rate. Recall is the same, from below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lockgate_models.metrics import Scores, Truth, upper_bound

Goal = Literal["fpr", "recall"]
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Guarantee:
    """`at`: the threshold, from which on a score counts; None where the rows are too few, or too many score 1. `wrong` of `n` rows are on its wrong
    side (negatives flagged, or positives missed), and `bound` is the upper bound of that rate with the `confidence` that was
    asked. `other`: what the threshold costs: recall, or the rate of false alarms; None where there are no such rows. `least`: how
    many rows it takes at all; `tighter`: how many for half the rate."""

    at: float | None
    wrong: int
    n: int
    bound: float
    other: float | None
    least: int
    tighter: int


def guaranteed(
    given: Sequence[float] | Scores, known: Sequence[bool] | Truth, goal: Goal, rate: float, confidence: float
) -> Guarantee:
    """The lowest threshold that holds a rate of false alarms, or the highest that holds a recall. `rate` is that of what goes
    wrong: of false alarms, or of misses (1 less the recall). Both strictly between 0 and 1."""
    scores, truth = np.asarray(given, np.float64), np.asarray(known, np.bool_)
    wrong_side = truth == (goal == "recall")
    rows = np.sort(scores[wrong_side])
    n = len(rows)
    least, tighter = rows_for(rate, confidence), rows_for(rate / 2, confidence)
    k = _most(n, rate, confidence)
    if k < 0 or (goal == "fpr" and rows[n - k - 1] >= 1.0):  # too few rows, or no score is above those
        return Guarantee(None, 0, n, upper_bound(0, n, confidence) if n else 1.0, None, least, tighter)
    # Rounded to the safe side, as a policy's file will have it.
    if goal == "fpr":
        edge = float(rows[n - k - 1])
        at = (math.floor(edge * 10**_DIGITS) + 1) / 10**_DIGITS
        wrong = int((rows >= at).sum())
        other = _share(scores[truth] >= at)
    else:
        at = max(0.0, math.floor(float(rows[k]) * 10**_DIGITS) / 10**_DIGITS)
        wrong = int((rows < at).sum())
        other = _share(scores[~truth] >= at)
    return Guarantee(at, wrong, n, upper_bound(wrong, n, confidence), other, least, tighter)


def rows_for(rate: float, confidence: float) -> int:
    """How many rows without one mistake show that the rate is no higher."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-rate))


def _most(n: int, rate: float, confidence: float) -> int:
    """The most mistakes among n rows that still show it; -1 if even none is too many."""
    low, high = -1, n - 1
    while low < high:
        middle = (low + high + 1) // 2
        if upper_bound(middle, n, confidence) <= rate:
            low = middle
        else:
            high = middle - 1
    return low


def _share(which: Truth) -> float | None:
    return float(which.mean()) if len(which) else None
