"""Topics by likeness to examples, with a model whose embedding is a count of words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lockgate.detectors import model, topic
from lockgate.detectors.model import MODELS
from lockgate.detectors.protocol import SENTENCE, WHOLE
from lockgate.detectors.topic import TopicConfig, TopicDetector
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from tiny_model import write_model

EXCHANGE = Exchange("01", "chat")


@pytest.fixture(autouse=True, scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    place = tmp_path_factory.mktemp("models")
    write_model(place / "tiny")
    write_model(place / "plain", embedding=False)
    before = MODELS.places, MODELS.options
    model.run_models([place], {})
    yield
    model.run_models(*before)


def made(**config: Any) -> TopicDetector:
    return topic.build(TopicConfig.model_validate({"model": "tiny", **config}))


async def labels(detector: TopicDetector, *texts: str) -> list[tuple[str, str]]:
    segments = [Segment(f"/{i}", "user", "text", text) for i, text in enumerate(texts)]
    return [(f.where, f.label) for f in await detector.detect(segments, EXCHANGE)]


async def test_a_denied_topic_is_found_by_its_examples() -> None:
    detector = made(denied={"courts": ["law law", "law"], "war": ["bomb attack"]}, above=0.75)
    assert (detector.reach, detector.gives_spans, set(detector.labels)) == (SENTENCE, True, {"courts", "war"})
    assert await labels(detector, "law law law", "attack bomb", "doctor") == [("/0", "courts"), ("/1", "war")]


async def test_what_is_near_no_allowed_topic_is_off_topic() -> None:
    detector = made(allowed={"health": ["doctor"]}, below=0.6)
    assert (detector.reach, detector.gives_spans, set(detector.labels)) == (WHOLE, False, {"OFF_TOPIC"})
    assert await labels(detector, "doctor doctor", "bomb bomb bomb", "law!") == [("/1", "OFF_TOPIC")]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"denied": {"a": ["x"]}, "allowed": {"a": ["y"]}}, "'a' is denied too"),
        ({"denied": {"a": ["x"]}, "model": "plain"}, "gives no sentence embeddings"),
        ({"denied": {"a": ["x"]}, "model": "nowhere"}, "there is no model"),
    ],
)
def test_what_can_not_be_asked(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        made(**config)


def test_a_topic_has_examples() -> None:
    with pytest.raises(ValueError, match="write `denied`, `allowed`, or both"):
        TopicConfig()
