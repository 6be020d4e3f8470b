"""Figures of a classifier: pure functions of scores and labels, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]
Truth = NDArray[np.bool_]
Metric = Callable[[Scores, Truth], float]


def average_precision(scores: Scores, truth: Truth) -> float:
    """Area under the precision-recall curve, by steps; ties count as one step. NaN without a positive."""
    positives = int(truth.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    precision = hits[last] / (last + 1)
    recall = hits[last] / positives
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * precision))


def threshold_at_fpr(scores: Scores, truth: Truth, rate: float) -> float:
    """The lowest threshold at which at most `rate` of the negatives score as high. A text is positive from it on."""
    negatives = np.sort(scores[~truth])[::-1]
    if not len(negatives):
        return float("nan")
    allowed = int(np.floor(rate * len(negatives)))
    return float(np.nextafter(negatives[allowed], np.inf)) if allowed < len(negatives) else 0.0


def recall_at_fpr(scores: Scores, truth: Truth, rate: float = 0.01) -> float:
    """The share of positives found at that threshold."""
    if not truth.any() or truth.all():
        return float("nan")
    return float((scores[truth] >= threshold_at_fpr(scores, truth, rate)).mean())


def roc_auc(scores: Scores, truth: Truth) -> float:
    """The chance that a positive scores above a negative; ties count half."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def f1(scores: Scores, truth: Truth, threshold: float = 0.5) -> float:
    said = scores >= threshold
    wrong = int((said != truth).sum())
    right = int((said & truth).sum())
    return 2 * right / (2 * right + wrong) if right or wrong else float("nan")


def upper_bound(flagged: int, count: int, level: float = 0.95) -> float:
    """Clopper and Pearson's one-sided upper bound of a share, by bisection of the binomial distribution."""
    if flagged >= count:
        return 1.0
    low, high = flagged / count, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        terms = [
            math.lgamma(count + 1)
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            + k * math.log(middle)
            + (count - k) * math.log1p(-middle)
            for k in range(flagged + 1)
        ]
        if sum(map(math.exp, terms)) > 1 - level:
            low = middle
        else:
            high = middle
    return high


def interval(
    metric: Metric, scores: Scores, truth: Truth, *, draws: int = 500, level: float = 0.95, seed: int = 1
) -> tuple[float, float]:
    """A bootstrap interval: texts are drawn with replacement, the metric is taken of each draw."""
    draw = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        chosen = draw.integers(0, len(scores), len(scores))
        value = metric(scores[chosen], truth[chosen])
        if not np.isnan(value):
            values.append(value)
    if not values:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
