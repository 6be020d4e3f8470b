from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate_models import metrics

Pairs = list[tuple[float, bool]]
pairs = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=30)


def arrays(said: Pairs) -> tuple[metrics.Scores, metrics.Truth]:
    return np.array([s for s, _ in said]), np.array([t for _, t in said])


def test_a_worked_example() -> None:
    scores, truth = arrays([(0.9, True), (0.8, False), (0.7, True), (0.1, False)])
    assert metrics.average_precision(scores, truth) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.roc_auc(scores, truth) == 0.75
    assert metrics.recall_at_fpr(scores, truth, 0.0) == 0.5
    assert metrics.recall_at_fpr(scores, truth, 0.5) == 1.0
    assert metrics.f1(scores, truth, 0.75) == 0.5


@given(pairs)
def test_auc_is_the_share_of_pairs_in_order(said: Pairs) -> None:
    up = [s for s, t in said if t]
    down = [s for s, t in said if not t]
    found = metrics.roc_auc(*arrays(said))
    if not up or not down:
        assert math.isnan(found)
        return
    better = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(up, down)]
    assert found == pytest.approx(sum(better) / len(better))


@given(pairs)
def test_average_precision_by_its_definition(said: Pairs) -> None:
    positives = sum(t for _, t in said)
    found = metrics.average_precision(*arrays(said))
    if not positives:
        assert math.isnan(found)
        return
    expected, before = 0.0, 0.0
    for threshold in sorted({s for s, _ in said}, reverse=True):
        over = [t for s, t in said if s >= threshold]
        recall = sum(over) / positives
        expected += (recall - before) * sum(over) / len(over)
        before = recall
    assert found == pytest.approx(expected)


@given(pairs, st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_a_threshold_keeps_its_rate(said: Pairs, rate: float) -> None:
    scores, truth = arrays(said)
    threshold = metrics.threshold_at_fpr(scores, truth, rate)
    if truth.all():
        assert math.isnan(threshold)
        return
    assert (scores[~truth] >= threshold).mean() <= rate
    lower = scores[~truth][scores[~truth] < threshold]
    if len(lower):  # the next lower one would not keep it
        assert (scores[~truth] >= lower.max()).mean() > rate


def test_an_interval_holds_the_figure_and_shrinks_with_more_texts() -> None:
    draw = np.random.default_rng(3)

    def sample(n: int) -> tuple[metrics.Scores, metrics.Truth]:
        truth = draw.random(n) < 0.5
        return draw.random(n) * 0.7 + truth * 0.3, truth

    few, many = sample(60), sample(2000)
    widths = []
    for scores, truth in (few, many):
        low, high = metrics.interval(metrics.average_precision, scores, truth, draws=200)
        assert low <= metrics.average_precision(scores, truth) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
    assert all(map(math.isnan, metrics.interval(metrics.average_precision, np.array([0.5]), np.array([False]))))


@pytest.mark.parametrize(
    ("flagged", "count", "bound"), [(0, 100, 0.0295), (1, 100, 0.0466), (5, 100, 0.1023), (3, 3, 1.0), (0, 1, 0.95)]
)
def test_the_upper_bound_is_clopper_and_pearsons(flagged: int, count: int, bound: float) -> None:
    assert metrics.upper_bound(flagged, count) == pytest.approx(bound, abs=1e-4)
