from __future__ import annotations

import pytest
from pydantic import ValidationError

from lockgate.detectors.protocol import WHOLE, Detector
from lockgate.detectors.size import SizeConfig, build
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding


async def look(most: int, *texts: str) -> list[Finding]:
    segments = [Segment(f"/messages/{i}/content", "user", "text", text) for i, text in enumerate(texts)]
    return list(await build(SizeConfig(max_characters=most)).detect(segments, Exchange("x", "chat")))


async def test_each_longer_text_is_found_for_itself() -> None:
    findings = await look(5, "12345", "123456", "", "1234567")
    assert [(f.label, f.score, f.where, f.span) for f in findings] == [
        ("TOO_LONG", 1.0, "/messages/1/content", None),
        ("TOO_LONG", 1.0, "/messages/3/content", None),
    ]


async def test_characters_are_code_points() -> None:
    assert await look(3, "日本語") == []
    assert len(await look(3, "👩\u200d💻!")) == 1


async def test_the_choice_is_kept() -> None:
    segment = Segment("/choices/1/message/content", "assistant", "text", "too long", choice=1)
    (finding,) = await build(SizeConfig(max_characters=1)).detect([segment], Exchange("x", "chat"))
    assert finding.choice == 1


def test_it_is_a_detector_without_spans_that_needs_the_whole() -> None:
    detector = build(SizeConfig(max_characters=1))
    assert isinstance(detector, Detector)
    assert detector.reach == WHOLE
    assert detector.labels == {"TOO_LONG"}
    assert not detector.gives_spans


@pytest.mark.parametrize(
    "config", [{}, {"max_characters": 0}, {"max_characters": "many"}, {"max_characters": 1, "x": 1}]
)
def test_bad_configuration(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SizeConfig.model_validate(config)
