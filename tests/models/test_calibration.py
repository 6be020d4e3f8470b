from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lockgate_models.calibration import LEAST, crossed, isotonic, mapped, reliability
from lockgate_models.metrics import roc_auc


def law(n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Answers of which those with confidence x are right with the chance x²: more confidence than is good."""
    draw = np.random.default_rng(seed)
    scores = draw.random(n)
    return scores, draw.random(n) < scores**2, np.arange(n)


def test_the_map_is_the_law_that_made_the_rows() -> None:
    scores, truth, _ = law(20_000)
    points = isotonic(scores, truth)
    assert points is not None
    asked = np.linspace(0.05, 0.95, 19)
    assert np.abs(mapped(asked, points) - asked**2).max() < 0.05


def test_rows_that_a_map_does_not_know_are_better_by_it() -> None:
    scores, truth, groups = law(4_000)
    before = reliability(scores, truth, groups)
    made = crossed(scores, truth, groups)
    assert before is not None
    assert made is not None
    after = reliability(made, truth, groups)
    assert after is not None
    assert before.error.at == pytest.approx(1 / 6, abs=0.02)  # the mean of x - x²
    assert after.error.at < 0.04
    assert after.brier.high < before.brier.low
    assert abs(after.mean.at - after.accuracy.at) < 0.01


def test_the_figures_are_those_of_their_definitions() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8, 0.9])
    truth = np.array([False, True, False, True, True])
    found = reliability(scores, truth, np.arange(5))
    assert found is not None
    assert (found.n, found.right) == (5, 3)
    assert found.accuracy.at == pytest.approx(0.6)
    assert found.mean.at == pytest.approx(0.52)
    assert found.brier.at == pytest.approx(np.mean((scores - truth) ** 2))
    assert found.auroc is not None
    assert found.auroc.at == pytest.approx(roc_auc(scores, truth))
    assert [(one.score, one.share, one.n) for one in found.bins] == [
        (0.1, 0.0, 1), (0.4, 0.5, 2), (0.8, 1.0, 1), (0.9, 1.0, 1),
    ]  # fmt: skip
    assert found.error.at == pytest.approx((0.1 + 2 * 0.1 + 0.2 + 0.1) / 5)


def test_rows_of_one_group_widen_the_interval() -> None:
    scores, truth, groups = law(400)
    apart = reliability(scores, truth, groups)
    together = reliability(np.repeat(scores, 10), np.repeat(truth, 10), np.repeat(groups, 10))
    assert apart is not None
    assert together is not None
    assert together.accuracy.at == pytest.approx(apart.accuracy.at)
    assert (together.accuracy.high - together.accuracy.low) == pytest.approx(
        apart.accuracy.high - apart.accuracy.low, abs=0.02
    )


def test_none_where_there_is_nothing_to_learn() -> None:
    scores, truth, groups = law(200)
    assert reliability(scores[:0], truth[:0], groups[:0]) is None
    assert isotonic(scores[: LEAST - 1], truth[: LEAST - 1]) is None
    assert isotonic(scores, np.ones(200, bool)) is None
    assert crossed(scores, np.zeros(200, bool), groups) is None
    one_sort = reliability(scores, np.ones(200, bool), groups)
    assert one_sort is not None
    assert one_sort.auroc is None


def test_a_step_of_right_answers_alone_is_not_certain() -> None:
    scores = np.repeat([0.2, 0.9], 50)
    points = isotonic(scores, scores > 0.5)
    assert points == [(0.2, 0.0098), (0.9, 0.9902)]


def test_confidence_that_says_the_opposite_makes_a_level_map() -> None:
    scores, truth, _ = law(2_000)
    points = isotonic(1 - scores, truth)
    assert points is not None
    assert {p for _, p in points} == {points[0][1]}
    assert points[0][1] == pytest.approx(truth.mean(), abs=0.001)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=LEAST, max_size=200))
def test_a_map_rises_and_stays_within_what_is_possible(rows: list[tuple[float, bool]]) -> None:
    points = isotonic(np.array([x for x, _ in rows]), np.array([right for _, right in rows]))
    for (x, p), (more, q) in pairwise(points or []):
        assert x < more
        assert p <= q
    assert all(0 < p < 1 and 0 <= x <= 1 for x, p in points or [])
