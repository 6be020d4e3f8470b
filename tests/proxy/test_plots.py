from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from lockgate_models.figures import Bin, Curves, Value, curves
from lockgate_proxy.plots import precision_recall, reliability, roc, whiskers


@pytest.fixture(scope="module")
def drawn() -> Curves:
    draw = np.random.default_rng(1)
    truth = np.arange(400) % 3 == 0
    found = curves(1 / (1 + np.exp(-draw.normal(truth * 2.0, 1))), truth)
    assert found is not None
    return found


def test_plots_are_well_formed_and_stay_within(drawn: Curves) -> None:
    area = Value(0.9, 0.8, 0.95)
    for plot in (
        roc(drawn, (0.0, 0.5)),
        roc(drawn, None),
        precision_recall(drawn, 0.33, area, (0.5, 0.9)),
        precision_recall(drawn, 0.33, None, None),
        reliability([*drawn.bins, Bin(0.0, 0.0, 1), Bin(1.0, 1.0, 1)], 0.02),
    ):
        figure = ET.fromstring(plot)  # noqa: S314 - our own
        svg = figure.find("svg")
        assert svg is not None
        assert svg.get("aria-label")
        _, _, wide, high = map(float, (svg.get("viewBox") or "").split())
        for line in svg.iter("polyline"):
            for point in (line.get("points") or "").split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= wide
                assert 0 <= y <= high
        for dot in svg.iter("circle"):
            assert 0 <= float(dot.get("cx") or -1) <= wide
            assert 0 <= float(dot.get("cy") or -1) <= high


def test_the_threshold_is_a_dot(drawn: Curves) -> None:
    assert "at the threshold: 0.010, 0.500" in roc(drawn, (0.01, 0.5))
    assert "here" not in roc(drawn, None)


def test_an_interval_fits_a_cell() -> None:
    assert 'x1="50.0" x2="96.0"' in whiskers(Value(0.7, 0.5, 1.0))
    assert whiskers(None) == ""
