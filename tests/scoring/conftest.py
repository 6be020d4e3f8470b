from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.detectors import model
from lockgate.detectors.model import MODELS, Model
from tiny_model import write_model

THRESHOLDS = {label: {"normal": {"at": 0.5}} for label in ("injection", "harm", "harm.weapons", "advice.legal")}


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shelf")
    write_model(place / "tiny", thresholds=THRESHOLDS, languages=["en"])
    write_model(place / "bare", name="bare", thresholds={}, tags=None)
    write_model(place / "pair", name="pair", form="pair", thresholds={**THRESHOLDS, "harm": {"normal": {"at": 0.25}}})
    return place


@pytest.fixture
def tiny(shelf: Path) -> Iterator[Model]:
    before = MODELS.places, MODELS.options
    model.run_models([shelf], {})
    yield MODELS.named("tiny")
    model.run_models(*before)
