from __future__ import annotations

import numpy as np
import pytest

from lockgate_models.train.thresholds import (
    Known,
    joint,
    logit,
    measured,
    ordered,
    platt,
    sigmoid,
    single,
)


def known(scores: np.ndarray, truth: np.ndarray) -> Known:
    return Known(scores, truth, np.ones(len(scores), bool))


def test_scores_and_logits_are_each_others_inverse() -> None:
    logits = np.linspace(-25, 15, 41)
    np.testing.assert_allclose(logit(sigmoid(logits)), logits, atol=1e-4)
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (3.0, 1.5), (0.5, -2.0)])
def test_platt_finds_what_bent_the_logits(temperature: float, bias: float) -> None:
    draw = np.random.default_rng(1)
    honest = draw.normal(0, 2, 20_000)
    truth = draw.random(20_000) < sigmoid(honest)
    found = platt(honest * temperature - bias, truth)
    assert found is not None
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.bias == pytest.approx(bias, abs=0.15)


def test_platt_leaves_alone_what_it_cant_tell() -> None:
    few = np.arange(12.0)
    assert platt(few, few > 8) is None
    many = np.linspace(-3, 3, 400)
    assert platt(many, many < 0) is None  # the wrong way round


def test_ordinary_texts_do_not_pay_for_what_is_rare_among_them() -> None:
    low, high = np.linspace(0, 0.5, 900), np.linspace(0.5, 1, 100)
    label = known(np.concatenate([low, high]), np.zeros(1000, bool))
    alone = single(label, [""] * 1000, 0.05)
    fair = single(label, [""] * 900 + ["ordinary"] * 100, 0.05)
    assert (high >= alone).mean() > 0.4
    assert (high >= fair).mean() <= 0.05
    look = single(label, [""] * 900 + ["lookalike"] * 100, 0.05)
    assert 0.05 < (high >= look).mean() <= 0.4
    assert single(label, [""] * 990 + ["ordinary"] * 10, 0.05) == alone  # ten say nothing


def test_a_label_without_negatives_never_holds() -> None:
    assert single(known(np.array([0.2, 0.4]), np.array([True, True])), ["", ""], 0.01) == 1.0


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.05])
def test_a_familys_labels_share_its_rate(rate: float) -> None:
    draw = np.random.default_rng(2)
    count = 4000
    truth = np.arange(count) < 1000
    labels = [known(draw.normal(truth * 2.0, 1), truth) for _ in range(10)]
    kinds = [""] * 1000 + ["ordinary"] * 2500 + ["lookalike"] * 500
    cuts = joint(labels, kinds, rate)
    over = np.any([label.scores >= cut for label, cut in zip(labels, cuts, strict=True)], axis=0)
    assert over[~truth].mean() <= rate
    assert over[1000:3500].mean() <= rate
    assert over[~truth].mean() > rate / 3  # and not far below it
    assert cuts[0] < min(cuts[1:])  # the first has the most


def test_figures_of_a_threshold() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.8])
    truth = np.array([False, False, False, True, True, False])
    found = measured(Known(scores, truth, np.array([True] * 5 + [False])), 0.3)
    assert (found.at, found.fpr, found.recall, found.n) == (0.3, 0.3333, 1.0, 5)
    assert found.fpr_upper is not None
    assert found.fpr_upper > 0.8
    assert measured(known(scores, truth), 1.5).at == 1.0
    assert measured(known(scores, truth), 0.1234567).at == 0.123457


def test_a_lower_sensitivity_never_fires_more() -> None:
    assert ordered({"low": 0.5, "normal": 0.6, "high": 0.4}) == {"low": 0.6, "normal": 0.6, "high": 0.4}
