from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.detectors import model
from lockgate.detectors.model import MODELS
from lockgate.errors import PolicyError, SettingsError
from lockgate_proxy.model_options import heads_of, model_arguments, scorer_of, usable_cores
from tiny_model import write_model


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Path]:
    before = MODELS.places, MODELS.options
    write_model(tmp_path / "tiny")
    write_model(tmp_path / "pairs", form="pair")
    yield tmp_path
    model.run_models(*before)


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    model_arguments(parser)
    return parser.parse_args(words)


def test_all_cores_work_each_for_itself(shelf: Path) -> None:
    scorer_of(options("--models", str(shelf), "--model", "tiny"))
    assert (MODELS.options["threads"], MODELS.options["parallel"]) == (1, usable_cores())
    scorer_of(options("--model", str(shelf / "tiny"), "--threads", "3"))
    assert MODELS.options["parallel"] == 3
    assert MODELS.options["device"] == "cpu"


def test_what_can_not_be_asked_is_said(shelf: Path) -> None:
    with pytest.raises(PolicyError, match="there is no model 'tiny'"):
        scorer_of(options("--model", "tiny"))
    with pytest.raises(PolicyError, match="reads pairs; name one that reads texts"):
        scorer_of(options("--models", str(shelf), "--model", "pairs"))
    with pytest.raises(PolicyError, match="no head 'harmm'"):
        scorer_of(options("--models", str(shelf), "--model", "tiny", "--heads", "harmm"))
    with pytest.raises(SettingsError, match="at least 1"):
        scorer_of(options("--models", str(shelf), "--model", "tiny", "--threads", "0"))
    with pytest.raises(PolicyError, match="no CUDA provider"):
        scorer_of(options("--models", str(shelf), "--model", "tiny", "--device", "gpu"))


def test_a_pair_model_on_the_shelf_must_be_right(shelf: Path) -> None:
    write_model(shelf / "lockgate-pair", form="pair", window=None)
    with pytest.raises(PolicyError, match=r"lockgate-pair/manifest\.yaml: window"):
        scorer_of(options("--models", str(shelf), "--model", "tiny"))
    write_model(shelf / "lockgate-pair", form="pair", thresholds={})
    said = scorer_of(options("--models", str(shelf), "--model", "tiny")).missing
    assert said == [
        "no thresholds for harm, advice, injection of answers, harm of answers, advice of answers: no verdict on that"
    ]


def test_heads_are_named_with_commas() -> None:
    assert heads_of(None) is None
    assert heads_of("injection, pii") == ["injection", "pii"]
    with pytest.raises(SettingsError, match="names none"):
        heads_of(" , ")
