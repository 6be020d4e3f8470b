from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate_models import metrics
from lockgate_models.figures import curves, cut, figures, macro_f1

pairs = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None, max_examples=50)
@given(pairs)
def test_figures_are_those_of_the_metrics(said: list[tuple[float, bool]]) -> None:
    scores, truth = np.array([s for s, _ in said]), np.array([t for _, t in said])
    found = figures(scores, truth, scores >= 0.5, np.arange(len(said)), draws=20)
    assert (found.n, found.positives) == (len(said), truth.sum())
    expected = {
        "auprc": metrics.average_precision(scores, truth) if 0 < truth.sum() < len(truth) else None,
        "at_rate": metrics.recall_at_fpr(scores, truth) if 0 < truth.sum() < len(truth) else None,
        "f1": metrics.f1(scores, truth, 0.5) if truth.any() else None,
        "recall": (scores >= 0.5)[truth].mean() if truth.any() else None,
        "fpr": (scores >= 0.5)[~truth].mean() if not truth.all() else None,
    }
    for name, value in expected.items():
        got = getattr(found, name)
        if value is None or got is None:
            assert value is got
        else:
            assert got.at == pytest.approx(value)
            assert got.low <= got.high


def test_an_interval_is_as_wide_as_rows_are_few() -> None:
    draw = np.random.default_rng(3)
    truth = draw.random(4000) < 0.3
    scores = draw.normal(truth * 1.5, 1)
    groups = np.arange(4000)
    many = figures(scores, truth, scores > 1, groups).auprc
    few = figures(scores[:200], truth[:200], scores[:200] > 1, groups[:200]).auprc
    by_ten = figures(np.repeat(scores[:400], 10), np.repeat(truth[:400], 10), None, np.repeat(groups[:400], 10)).auprc
    assert many is not None
    assert few is not None
    assert by_ten is not None
    assert many.low < many.at < many.high
    assert many.high - many.low < 0.06
    assert few.high - few.low > 2 * (many.high - many.low)
    # Ten copies of a row are no ten rows, where their group says so.
    assert by_ten.high - by_ten.low > 2 * (many.high - many.low)
    low, high = metrics.interval(metrics.average_precision, scores[:200], truth[:200])
    assert few.low == pytest.approx(low, abs=0.03)
    assert few.high == pytest.approx(high, abs=0.03)


def test_what_rows_can_not_say_is_none() -> None:
    ones = np.ones(5, bool)
    scores = np.linspace(0, 1, 5)
    only = figures(scores, ones, None, np.arange(5))
    assert (only.precision, only.recall, only.fpr, only.auprc, only.at_rate) == (None,) * 5
    harmless = figures(scores, ~ones, scores > 0.7, np.arange(5))
    assert harmless.fpr is not None
    assert harmless.fpr.at == pytest.approx(0.4)
    assert (harmless.recall, harmless.precision, harmless.auprc) == (None,) * 3
    assert figures(scores[:0], ones[:0], None, np.arange(0)).n == 0
    assert curves(scores, ones) is None
    assert cut(scores, ones, 0.01) is None


def test_curves_go_from_end_to_end_with_few_points() -> None:
    draw = np.random.default_rng(5)
    truth = draw.random(20_000) < 0.5
    scores = 1 / (1 + np.exp(-draw.normal(np.where(truth, 1, -1), 1.4142)))
    found = curves(scores, truth)
    assert found is not None
    assert (found.roc[0], found.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert (found.pr[0][0], found.pr[-1][0]) == (0.0, 1.0)
    assert max(len(found.roc), len(found.pr)) <= 202
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in zip(found.roc, found.roc[1:], strict=False))
    assert area == pytest.approx(found.auc, abs=0.003)
    assert [one.score for one in found.bins] == sorted(one.score for one in found.bins)
    assert sum(one.n for one in found.bins) == 20_000
    assert found.error < 0.03  # those scores are probabilities


def test_a_cut_holds_its_rate() -> None:
    scores = np.concatenate([np.arange(1000) / 1000, [0.95, 0.999]])
    truth = np.arange(1002) >= 1000
    found = cut(scores, truth, 0.01)
    assert found is not None
    assert (found.flagged, found.negatives, found.fpr) == (10, 1000, 0.01)
    assert 0.989 < found.at <= 0.99
    assert found.upper == pytest.approx(0.0169, abs=1e-4)
    assert found.recall == 0.5


def test_the_mean_of_classes() -> None:
    truth = np.array([0, 0, 1, 1, 2])
    assert macro_f1(truth, truth, np.arange(5)).at == 1.0  # type: ignore[union-attr]
    found = macro_f1(np.array([0, 1, 1, 1, 0]), truth, np.arange(5))
    assert found is not None
    assert found.at == pytest.approx((0.5 + 0.8 + 0) / 3)
    assert macro_f1(truth[:0], truth[:0], truth[:0]) is None
