"""Thresholds with a guarantee: by hand, against the binomial itself, and that they hold as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models.guarantee import guaranteed, rows_for


def binomial_up_to(k: int, n: int, p: float) -> float:
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@pytest.mark.parametrize(("rate", "confidence", "rows"), [(0.05, 0.95, 59), (0.01, 0.95, 299), (0.005, 0.95, 598)])
def test_how_many_rows_it_takes(rate: float, confidence: float, rows: int) -> None:
    assert rows_for(rate, confidence) == rows
    scores = np.linspace(0, 0.9, rows)
    negatives = np.zeros(rows, np.bool_)
    found = guaranteed(scores, negatives, "fpr", rate, confidence)
    assert found.at == pytest.approx(0.9, abs=2e-6)
    assert (found.wrong, found.other) == (0, None)
    few = guaranteed(scores[1:], negatives[1:], "fpr", rate, confidence)
    assert (few.at, few.least) == (None, rows)
    assert few.tighter > rows


@given(n=st.integers(1, 120), rate=st.sampled_from([0.05, 0.1, 0.3]), confidence=st.sampled_from([0.8, 0.95]))
def test_the_count_of_mistakes_is_the_binomials(n: int, rate: float, confidence: float) -> None:
    scores = (np.arange(n) + 1) / (n + 2)
    found = guaranteed(scores, np.zeros(n, np.bool_), "fpr", rate, confidence)
    fit = [k for k in range(n) if binomial_up_to(k, n, rate) <= 1 - confidence]
    assert (found.at is None) == (not fit)
    if fit:
        assert found.wrong == max(fit)
        assert found.bound <= rate


@given(
    scores=st.lists(st.floats(0, 1), min_size=60, max_size=90),
    goal=st.sampled_from(["fpr", "recall"]),
)
def test_what_it_says_of_the_rows_is_so(scores: list[float], goal: str) -> None:
    given_scores = np.array(scores)
    truth = np.arange(len(scores)) % 5 == 0 if goal == "fpr" else np.arange(len(scores)) % 5 != 0
    found = guaranteed(given_scores, truth, "fpr" if goal == "fpr" else "recall", 0.1, 0.8)
    if found.at is None:
        assert goal == "fpr"
        assert (given_scores[~truth] == 1.0).sum() > 0
        return
    flagged = given_scores >= found.at
    assert found.wrong == (flagged[~truth].sum() if goal == "fpr" else (~flagged)[truth].sum())
    assert found.bound <= 0.1
    assert found.other == (flagged[truth] if goal == "fpr" else flagged[~truth]).mean()


def test_scores_that_nothing_is_above() -> None:
    found = guaranteed([1.0] * 40 + [0.5] * 40, [False] * 80, "fpr", 0.1, 0.95)
    assert (found.at, found.n) == (None, 80)


@pytest.mark.parametrize("goal", ["fpr", "recall"])
def test_it_holds_as_often_as_it_says(goal: str) -> None:
    """Uniform scores, whose true rate at a threshold is known: of 2,000 draws no more than 20 % miss (and not far fewer)."""
    draw = np.random.default_rng(7)
    missed = 0
    for _ in range(2000):
        scores = draw.random(100)
        truth = np.full(100, goal == "recall")
        found = guaranteed(scores, truth, "fpr" if goal == "fpr" else "recall", 0.1, 0.8)
        assert found.at is not None
        missed += (1 - found.at if goal == "fpr" else found.at) > 0.1
    assert 0.1 < missed / 2000 <= 0.22
