"""Figures of one label: how right it is at its threshold and at any, with intervals, and the curves of a report.

Intervals are of the Poisson bootstrap: every group of rows (those made of one template, or a row by itself) counts as
often as a draw from Poisson(1) says. Rows are sorted once, so a draw costs a few sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate_models.metrics import Scores, Truth, roc_auc, threshold_at_fpr, upper_bound

_CELLS = 4_000_000  # of the bootstrap's tables, at once
_POINTS = 200  # of a curve, at most
_BINS = 10

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Value:
    """A figure with its 95 % interval."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figures:
    """None stands for what these rows can't say: what needs a positive, a negative, or a threshold. `fpr` is the share of
    negatives that are flagged; `at_rate` the recall where that share is 1 %."""

    n: int
    positives: int
    precision: Value | None = None
    recall: Value | None = None
    f1: Value | None = None
    fpr: Value | None = None
    auprc: Value | None = None
    at_rate: Value | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of similar scores: their mean score, and the share of positives among them."""

    score: float
    share: float
    n: int


@dataclass(frozen=True, slots=True)
class Curves:
    """`roc`: (false positive rate, recall); `pr`: (recall, precision). `error` is the expected calibration error."""

    roc: Sequence[Point]
    pr: Sequence[Point]
    bins: Sequence[Bin]
    auc: float
    error: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A threshold for a rate of false positives, measured on the rows that it was chosen by: `flagged` of `negatives`;
    the rate of others is, at 95 %, no higher than `upper`."""

    rate: float
    at: float
    flagged: int
    negatives: int
    fpr: float
    upper: float
    recall: float | None


def figures(
    scores: Scores, truth: Truth, said: Truth | None, groups: NDArray[np.int64], *, draws: int = 500, seed: int = 1
) -> Figures:
    """`said`: what was decided of each row, None where nothing was. `groups`: rows of one number are drawn together."""
    n, positives = len(scores), int(truth.sum())
    if not n:
        return Figures(0, 0)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    right = truth[order]
    flagged = said[order] if said is not None else np.zeros(n, bool)
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    names, place = np.unique(groups[order], return_inverse=True)

    def all_of(weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """(draws, rows) → (draws, figures)"""
        hits = np.cumsum(weights * right, axis=1, dtype=np.float64)[:, last]
        seen = np.cumsum(weights, axis=1, dtype=np.float64)[:, last]
        total = hits[:, -1:]
        misses = seen - hits
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.diff(hits, axis=1, prepend=0.0)
            auprc = (steps * np.where(seen > 0, hits / seen, 0.0)).sum(1) / total[:, 0]
            allowed = misses <= np.floor(0.01 * misses[:, -1:] + 1e-9)
            at_rate = np.where(allowed, hits, 0.0).max(1) / total[:, 0]
            found = weights @ (flagged & right).astype(np.float32)
            false = weights @ (flagged & ~right).astype(np.float32)
            return np.stack(
                [
                    found / (found + false),
                    found / total[:, 0],
                    2 * found / (found + false + total[:, 0]),
                    false / misses[:, -1],
                    auprc,
                    at_rate,
                ],
                axis=1,
            )

    (exact,) = all_of(np.ones((1, n), np.float32))
    draw = np.random.default_rng(seed)
    step = max(1, _CELLS // n)
    drawn = np.concatenate(
        [
            all_of(draw.poisson(1.0, (min(step, draws - i), len(names))).astype(np.float32)[:, place])
            for i in range(0, draws, step)
        ]
    )
    values = [value_of(exact[i], drawn[:, i]) for i in range(exact.shape[0])]
    decided = said is not None
    both = 0 < positives < n
    return Figures(
        n,
        positives,
        precision=values[0] if decided and positives else None,
        recall=values[1] if decided and positives else None,
        f1=values[2] if decided and positives else None,
        fpr=values[3] if decided and positives < n else None,
        auprc=values[4] if both else None,
        at_rate=values[5] if both else None,
    )


def value_of(exact: float, drawn: NDArray[np.float64]) -> Value | None:
    known = drawn[np.isfinite(drawn)]
    if not math.isfinite(exact) or not len(known):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return Value(float(exact), float(low), float(high))


def curves(scores: Scores, truth: Truth) -> Curves | None:
    """None where all rows are of one sort."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return None
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    hits = np.cumsum(truth[order])[last]
    recall, fpr, precision = hits / positives, (last + 1 - hits) / negatives, hits / (last + 1)
    bins = [
        Bin(float(ranked[part].mean()), float(truth[order][part].mean()), len(part))
        for part in np.array_split(np.arange(len(ranked)), min(_BINS, len(ranked)))
    ]
    error = sum(abs(one.score - one.share) * one.n for one in bins) / len(ranked)
    return Curves(
        roc=_thinned([(0.0, 0.0), *zip(fpr.tolist(), recall.tolist(), strict=True)]),
        pr=_thinned([(0.0, float(precision[0])), *zip(recall.tolist(), precision.tolist(), strict=True)]),
        bins=bins[::-1],
        auc=roc_auc(scores, truth),
        error=error,
    )


def cut(scores: Scores, truth: Truth, rate: float) -> Cut | None:
    """None without a negative."""
    negatives = int((~truth).sum())
    if not negatives:
        return None
    at = min(1.0, math.ceil(threshold_at_fpr(scores, truth, rate) * 1e6) / 1e6)
    flagged = int((scores[~truth] >= at).sum())
    recall = float((scores[truth] >= at).mean()) if truth.any() else None
    return Cut(rate, at, flagged, negatives, flagged / negatives, upper_bound(flagged, negatives), recall)


def macro_f1(
    said: NDArray[np.int64], truth: NDArray[np.int64], groups: NDArray[np.int64], *, draws: int = 500
) -> Value | None:
    """The mean of the classes' F1, over the classes that there are in truth. None without a row."""
    classes = np.unique(truth)
    names, place = np.unique(groups, return_inverse=True)

    def mean_of(weights: NDArray[np.float32]) -> NDArray[np.float64]:
        parts = []
        for one in classes:
            both = weights @ ((said == one) & (truth == one)).astype(np.float32)
            either = weights @ ((said == one).astype(np.float32) + (truth == one).astype(np.float32))
            parts.append(np.divide(2 * both, either, out=np.zeros(len(weights)), where=either > 0))
        return np.asarray(np.mean(parts, axis=0))

    if not len(truth):
        return None
    draw = np.random.default_rng(1)
    step = max(1, _CELLS // len(truth))
    drawn = [
        mean_of(draw.poisson(1.0, (min(step, draws - i), len(names))).astype(np.float32)[:, place])
        for i in range(0, draws, step)
    ]
    return value_of(float(mean_of(np.ones((1, len(truth)), np.float32))[0]), np.concatenate(drawn))


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most so many, the ends among them, evenly spread along the curve."""
    if len(points) <= _POINTS:
        return list(points)
    array = np.array(points)
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(array, axis=0)).sum(1))])
    kept = np.unique(np.searchsorted(way, np.linspace(0.0, way[-1], _POINTS)))
    return [points[i] for i in sorted({0, *kept.tolist(), len(points) - 1})]
