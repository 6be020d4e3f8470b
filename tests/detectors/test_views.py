from __future__ import annotations

import pytest

from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.rows import compiled_row
from lockgate.detectors.views import VIEWS


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.label)
def test_views_compile(view: PatternSpec) -> None:
    compiled_row(0, view).regex()
