"""Sentences against their context, with a model for which "attack" rests on nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.detectors import groundedness, model
from lockgate.detectors.groundedness import UNSUPPORTED, GroundednessConfig, GroundednessDetector
from lockgate.detectors.model import MODELS, Model
from lockgate.detectors.protocol import SENTENCE
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding
from lockgate.windows import windows
from tiny_model import write_honest, write_model

SAID = Segment("/a", "assistant", "text", "", choice=0)


@pytest.fixture(autouse=True, scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    place = tmp_path_factory.mktemp("models")
    write_honest(place / "honest")
    write_model(place / "plain")
    before = MODELS.places, MODELS.options
    model.run_models([place], {})
    yield
    model.run_models(*before)


def made(**config: Any) -> GroundednessDetector:
    return groundedness.build(GroundednessConfig.model_validate({"model": "honest", **config}))


def exchange(*context: str) -> Exchange:
    return Exchange("01", "chat", given=context)


async def spans(detector: GroundednessDetector, text: str, *context: str) -> list[str]:
    found = await detector.detect([replace(SAID, text=text)], exchange(*context))
    assert all(isinstance(one, Finding) and one.label == UNSUPPORTED for one in found)
    return [text[one.span[0] : one.span[1]] for one in found if isinstance(one, Finding) and one.span is not None]


def test_it_judges_sentence_by_sentence() -> None:
    detector = made()
    assert (detector.reach, detector.gives_spans, detector.labels) == (SENTENCE, True, frozenset({UNSUPPORTED}))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A calm doctor. An attack by ada king came. Law.", ["ada king"]),
        ("An attack came.", ["An attack came"]),
        ("- *An attack came.*\n", ["An attack came"]),
        ("Was there an attack?", []),
        ("```\nattack ada\n```\nA calm law.", []),
        ("It took 30 years. An attack came.", ["30", "An attack came"]),
        ("It took 20 years, or twenty.", []),
        ("", []),
    ],
)
async def test_what_rests_on_nothing_is_marked(text: str, found: list[str]) -> None:
    assert await spans(made(), text, "A doctor spent 20 years there.") == found


async def test_without_a_context_nothing_is_said() -> None:
    assert await spans(made(), "An attack by ada in 1931.") == []
    assert await spans(made(), "An attack by ada in 1931.", " ") == []


async def test_figures_can_be_left_out() -> None:
    assert await spans(made(figures=False), "It took 30 years.", "It took 20 years.") == []


async def test_a_sentence_takes_its_best_support() -> None:
    bad = ["attack " + "law doctor " * 25 + f"{i}." for i in range(2)]
    detector = GroundednessDetector(MODELS.named("honest"), None, 0.6, GroundednessConfig())
    assert await spans(detector, "law doctor.", "\n".join(bad)) == ["law doctor"]
    assert await spans(detector, "law doctor.", "\n".join([*bad, "law doctor " * 50])) == []


async def test_what_was_asked_ahead_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = made()
    text = "A calm doctor said so. It was an attack. And then"
    where = exchange("A doctor.")
    await detector.ahead(replace(SAID, text=text), where)
    classifier = MODELS.named("honest").classifier()
    before = classifier.cache.misses
    found = await detector.detect([replace(SAID, text=text + " it ended.")], where)
    assert classifier.cache.misses - before == 1
    assert len(found) == 1
    await detector.ahead(replace(SAID, text="One. Two. Three."), exchange())


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["attack ", "ada ", "calm. ", "law! ", "30 ", "```\n", "doctor? "]), max_size=14))
async def test_windows_of_a_stream_say_what_the_whole_does(parts: list[str]) -> None:
    detector, text, where = made(), "".join(parts), exchange("A calm doctor.")
    whole = await detector.detect([replace(SAID, text=text)], where)
    said = []
    for start, end in windows(text):
        window = replace(SAID, text=text[start:end], before=text[:start])
        for one in await detector.detect([window], where):
            assert isinstance(one, Finding)
            assert one.span is not None
            said.append(replace(one, span=(one.span[0] + start, one.span[1] + start)))
    assert said == whole


def test_what_it_can_not_be_made_of_is_an_error() -> None:
    for name, problem in (("plain", "does not judge"), ("nowhere", "nowhere")):
        with pytest.raises(PolicyError, match=problem):
            made(model=name)
    assert made(above=0.99).labels == frozenset({UNSUPPORTED})
    assert isinstance(MODELS.named("honest"), Model)
