"""The classifier in an engine, with a model small enough to know its answers: a word decides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.detectors import classifier, model
from lockgate.detectors.classifier import ClassifierConfig, ClassifierDetector
from lockgate.detectors.model import MODELS
from lockgate.detectors.protocol import Doubt
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.tail import Windows
from lockgate.verdict import Finding
from tiny_model import write_model

EXCHANGE = Exchange("01", "chat")
GERMAN = "Kannst du mir sagen, wann der nächste Zug an die Küste fährt?"


@pytest.fixture(autouse=True, scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("models")
    write_model(place / "tiny", languages=["en"])
    before = MODELS.places, MODELS.options
    model.run_models([place], {})
    yield
    model.run_models(*before)


def made(use: Any, **more: Any) -> ClassifierDetector:
    given = {"heads": use, **more} if more else use
    config = ClassifierConfig.model_validate(given)
    return classifier.build(config.model_copy(update={"model": "tiny"}))


def text(said: str, where: str = "/a", choice: int | None = None) -> Segment:
    return Segment(where, "user", "text", said, choice)


async def found(detector: ClassifierDetector, *segments: Segment) -> list[tuple[str, str, tuple[int, int] | None]]:
    answer = await detector.detect(segments, EXCHANGE)
    return [(f.where, f.label, f.span) for f in answer if isinstance(f, Finding)]


async def test_a_head_is_found_where_it_is_over_its_threshold() -> None:
    detector = made("injection")
    assert detector.labels == {"injection"}
    assert await found(detector, text("calm calm"), text("an attack", "/b")) == [("/b", "injection", (0, 9))]


async def test_a_family_stands_for_its_labels() -> None:
    detector = made(["harm", "injection"], above=0.6)
    assert detector.labels == {"harm", "harm.weapons", "injection"}
    assert await found(detector, text("a bomb")) == [("/a", "harm", (0, 6)), ("/a", "harm.weapons", (0, 6))]
    assert await found(made("harm.weapons", above=0.6), text("a bomb")) == [("/a", "harm.weapons", (0, 6))]
    assert await found(made("harm", above={"harm": 0.95}), text("a bomb")) == []


async def test_of_labels_that_exclude_each_other_none_must_not_be_likelier() -> None:
    detector = made("advice", above=0.0)
    assert detector.labels == {"advice.legal"}
    assert await found(detector, text("the law")) == [("/a", "advice.legal", (0, 7))]
    assert await found(detector, text("calm")) == []


async def test_an_attack_is_found_as_the_sentence_that_it_is() -> None:
    calm = "This is a calm sentence about nothing. "
    attack = "Somewhere in it there is an attack, though. "
    answer = await made("injection").detect([text(calm + attack + calm)], EXCHANGE)
    spans = [f.span for f in answer if isinstance(f, Finding)]
    assert spans in ([(0, len(calm + attack + calm) - 1)], [(len(calm), len(calm + attack) - 1)])


@pytest.mark.parametrize("own", [True, False])
async def test_what_comes_behind_a_sentence_is_blamed_for_it_or_not(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "OWN", frozenset({"harm"} if own else ()))
    calm, bomb = "A calm and quiet sentence here. ", "There is a bomb somewhere in it. "
    ends = [(len(calm), len(calm + bomb) - 1), (len(calm + bomb), len(calm + bomb + calm) - 1)]
    answer = await found(made("harm.weapons", above=0.6), text(calm + bomb + calm, choice=0))
    assert [span for _, _, span in answer] == (ends[:1] if own else ends)


async def test_sentences_are_read_only_where_their_unit_is_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "AWAKE", 0.5)  # the tiny model is never as sure as a real one
    counts = MODELS.named("tiny").classifier()._batcher.counts
    detector = made("injection")
    calm, suspect = (
        "A calm and quiet text here. Calm is the other one too.",
        "A calm attack is in this. Calm is the other one.",
    )
    before = counts.sequences
    await detector.detect([text(calm)], EXCHANGE)
    assert counts.sequences == before + 1
    await detector.detect([text(suspect)], EXCHANGE)
    assert counts.sequences == before + 3


async def test_disguised_letters_are_folded_before_the_model_reads() -> None:
    assert await found(made("injection"), text("an \uff41tt\u0430ck")) == [("/a", "injection", (0, 9))]


async def test_a_text_in_a_language_that_it_does_not_know_is_doubted() -> None:
    answer = await made("injection").detect([text(GERMAN), text(GERMAN + " attack", "/b")], EXCHANGE)
    assert [(type(one), one.where) for one in answer] == [(Doubt, "/a"), (Finding, "/b")]


WORDS = st.lists(
    st.sampled_from(["calm", "attack", "bomb", "law", "king.", "Ada!", "and", "then\n", "x" * 90]), max_size=80
)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(1, 60), st.booleans())
def test_the_stream_is_judged_as_the_whole(words: list[str], step: int, own: bool) -> None:
    said = " ".join(words)

    async def both() -> tuple[set[Any], set[Any]]:
        detector = made(["injection", "harm"], above=0.6)
        whole = await found(detector, text(said, choice=0))
        stream, parts = Windows(), []
        for at in range(0, len(said), step):
            stream.feed(said[at : at + step])
            parts += stream.cut(final=at + step >= len(said))
        streamed = []
        for start, window, before in parts:
            segment = Segment("/a", "assistant", "text", window, 0, before=before)
            for where, label, span in await found(detector, segment):
                assert span is not None
                assert 0 <= span[0] < span[1] <= len(window)
                streamed.append((where, label, (span[0] + start, span[1] + start)))
        return set(whole), set(streamed)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(classifier, "OWN", frozenset({"harm"} if own else ()))
        whole, streamed = asyncio.run(both())
    assert whole == streamed


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        ("injectoin", "has no head 'injectoin'"),
        ("harm", "has no threshold for 'harm'"),
        ({"heads": ["injection"], "above": {"harm": 0.5}}, "'harm' is not among the heads"),
    ],
)
def test_what_can_not_be_asked(use: Any, problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        made(use)
