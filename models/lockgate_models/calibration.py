"""How good a confidence is, measured on answers that are known to be right or wrong, and the map that makes it a share of
right answers.

Sources: isotonic regression by pooling adjacent violators (Ayer et al. 1955; Zadrozny and Elkan 2002); the expected
calibration error over bins of equal size (Nixon et al. 2019); the Brier score (1950).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate_models.figures import Bin, Value, value_of
from lockgate_models.metrics import Scores, Truth

LEAST = 50
"""Rows below which no map is made."""
_POOL = 10  # rows that a map's step rests on, at least; of many rows a fiftieth
_STEPS = 50
_BINS = 10
_FOLDS = 5
_CELLS = 4_000_000  # of the bootstrap's tables, at once

Points = list[tuple[float, float]]
"""(confidence, share of right answers), rising."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of rows with a confidence each: the share that is right (`accuracy`), the `mean` confidence, the expected
    calibration `error`, the `brier` score (the mean squared distance from 0 or 1: lower is better), and `auroc`, the chance
    that a right answer has the higher confidence; None where all are right, or all wrong."""

    n: int
    right: int
    accuracy: Value
    mean: Value
    error: Value
    brier: Value
    auroc: Value | None
    bins: Sequence[Bin]


def reliability(
    scores: Scores, truth: Truth, groups: NDArray[np.int64], *, draws: int = 500, seed: int = 1
) -> Reliability | None:
    """Intervals are 95 %, of the Poisson bootstrap over groups of rows. None without a row."""
    n = len(scores)
    if not n:
        return None
    order = np.argsort(scores, kind="stable")
    ranked, right = scores[order].astype(float), truth[order].astype(float)
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    sizes = np.diff(np.append(starts, n))
    # Rows of one score are in one bin, whatever their order.
    bins = np.repeat(starts * min(_BINS, n) // n, sizes)
    edges = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))
    names, place = np.unique(groups[order], return_inverse=True)

    def all_of(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(draws, rows) → (draws, figures)"""
        total = weights.sum(1)
        hits = weights * right
        gaps = np.add.reduceat(weights * (ranked - right), edges, axis=1)
        won = np.add.reduceat(hits, starts, axis=1)
        lost = np.add.reduceat(weights, starts, axis=1) - won
        before = np.cumsum(lost, axis=1) - lost / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.stack(
                [
                    hits.sum(1) / total,
                    weights @ ranked / total,
                    np.abs(gaps).sum(1) / total,
                    weights @ (ranked - right) ** 2 / total,
                    (won * before).sum(1) / (won.sum(1) * lost.sum(1)),
                ],
                axis=1,
            )

    (exact,) = all_of(np.ones((1, n)))
    draw = np.random.default_rng(seed)
    step = max(1, _CELLS // n)
    drawn = np.concatenate(
        [
            all_of(draw.poisson(1.0, (min(step, draws - i), len(names))).astype(float)[:, place])
            for i in range(0, draws, step)
        ]
    )
    accuracy, mean, error, brier, auroc = (value_of(exact[i], drawn[:, i]) for i in range(5))
    assert accuracy is not None
    assert mean is not None
    assert error is not None
    assert brier is not None
    return Reliability(
        n,
        int(truth.sum()),
        accuracy,
        mean,
        error,
        brier,
        auroc if 0 < truth.sum() < n else None,
        [
            Bin(float(ranked[part].mean()), float(right[part].mean()), len(part))
            for part in np.split(np.arange(n), edges[1:])
        ],
    )


def isotonic(scores: Scores, truth: Truth) -> Points | None:
    """The rising map that fits best: level between the first and the last confidence of each step, linear between steps.
    A step's share is that of its right answers with half a right and half a wrong one more (Jeffreys), so that none is 0
    or 1. None of fewer rows than `LEAST`, or where all are right, or all wrong."""
    if len(scores) < LEAST or truth.all() or not truth.any():
        return None
    order = np.argsort(scores, kind="stable")
    ranked, right = scores[order], truth[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    steps: list[_Step] = []
    start, least = 0, max(_POOL, len(ranked) // _STEPS)
    for end in (last + 1).tolist():  # rows of one score belong together
        if end - start >= least or end == len(ranked):
            steps.append(_Step(float(ranked[start]), float(ranked[end - 1]), int(right[start:end].sum()), end - start))
            start = end
    if len(steps) > 1 and steps[-1].n < least:
        steps[-2:] = [steps[-2].with_next(steps[-1])]
    points: Points = []
    # The shares rise, and are shrunk by how few rows they rest on: so they are pooled once more.
    for step in _pooled(_pooled(steps, shrunk=False), shrunk=True):
        for at in (step.low, step.high):
            x = round(at, 4)
            if not points or x > points[-1][0]:
                points.append((x, round(step.share(shrunk=True), 4)))
    return points


@dataclass(frozen=True, slots=True)
class _Step:
    low: float
    high: float
    right: int
    n: int

    def with_next(self, step: _Step) -> _Step:
        return _Step(self.low, step.high, self.right + step.right, self.n + step.n)

    def share(self, *, shrunk: bool) -> float:
        return (self.right + 0.5) / (self.n + 1) if shrunk else self.right / self.n


def _pooled(steps: Sequence[_Step], *, shrunk: bool) -> list[_Step]:
    """Neighbours whose shares do not rise are one step."""
    kept: list[_Step] = []
    for step in steps:
        kept.append(step)
        while len(kept) > 1 and kept[-2].share(shrunk=shrunk) >= kept[-1].share(shrunk=shrunk):
            last = kept.pop()
            kept.append(kept.pop().with_next(last))
    return kept


def mapped(scores: Scores, points: Points) -> NDArray[np.float64]:
    """The shares of right answers that a map says."""
    return np.interp(scores, [x for x, _ in points], [p for _, p in points])


def crossed(scores: Scores, truth: Truth, groups: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """What each row's confidence becomes by a map that was made without it and its group: how good a map is on rows that
    it does not know. None where some part of the rows makes none."""
    names, place = np.unique(groups, return_inverse=True)
    folds = np.random.default_rng(1).permutation(len(names)) % _FOLDS
    found = np.zeros(len(scores))
    for fold in range(_FOLDS):
        held = folds[place] == fold
        points = isotonic(scores[~held], truth[~held])
        if points is None:
            return None
        found[held] = mapped(scores[held], points)
    return found
