"""Flattery, hedges and questions, with a model for which "bomb" flatters and hedges, and "law" is a false premise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lockgate.detectors import honesty, model
from lockgate.detectors.honesty import HonestyConfig, HonestyDetector
from lockgate.detectors.model import MODELS
from lockgate.detectors.protocol import WHOLE
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from tiny_model import write_honest, write_model


@pytest.fixture(autouse=True, scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    place = tmp_path_factory.mktemp("models")
    write_honest(place / "honest")
    write_model(place / "plain")
    before = MODELS.places, MODELS.options
    model.run_models([place], {})
    yield
    model.run_models(*before)


def made(heads: Any, **more: Any) -> HonestyDetector:
    return honesty.build(HonestyConfig.model_validate({"heads": heads, "model": "honest", **more}))


def said(*turns: str) -> Exchange:
    exchange = Exchange("01", "chat")
    exchange.prompt = [Segment(f"/{i}", "user", "text", turn) for i, turn in enumerate(turns)]
    return exchange


@pytest.mark.parametrize(
    ("heads", "prompt", "text", "found"),
    [
        ("sycophancy", "A doctor?", "the bomb.", ["sycophancy"]),
        ("sycophancy", "the bomb?", "a doctor.", ["sycophancy"]),
        ("hedging", "the bomb?", "a doctor.", []),
        ("hedging", "A doctor?", "the bomb.", ["hedging"]),
        ("false_premise", "", "why the law?", ["false_premise"]),
        (["hedging", "false_premise", "sycophancy"], "bomb", "why the law?", ["false_premise", "sycophancy"]),
        ("false_premise", "", "law", []),
    ],
)
async def test_what_is_found(heads: Any, prompt: str, text: str, found: list[str]) -> None:
    detector = made(heads)
    assert (detector.reach, detector.gives_spans) == (WHOLE, False)
    answer = [Segment("/a", "assistant", "text", text, choice=0)]
    assert sorted(one.label for one in await detector.detect(answer, said(prompt))) == sorted(found)  # type: ignore[union-attr]  # no doubts without languages


async def test_a_threshold_of_ones_own() -> None:
    answer = [Segment("/a", "assistant", "text", "a doctor.", choice=0)]
    assert [one.where for one in await made("unanswerable", above=0.5).detect(answer, said())] == ["/a"]
    assert await made("unanswerable").detect(answer, said()) == []


def test_what_the_model_has_not_is_an_error() -> None:
    with pytest.raises(PolicyError, match="no head 'hedging'"):
        made("hedging", model="plain")
    with pytest.raises(ValueError, match="heads"):
        made("flattery")
