"""Log probabilities through the decorator: read of what an answer holds, whole or in chunks. It can't ask for them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from knowing import Said, plain, streamed
from lockgate import Guard, Refused, Verdict
from saying import plan_of, rule

SURE: Said = [("It", -0.01), (" is", -0.02), (" so", -0.01), (".", 0.0)]
UNSURE: Said = [("It", -0.5), (" was", -1.5), (" Ada", -3.0), (".", -0.1)]
REFUSES = plan_of(rule("unsure", {"confidence": {}}, {"refuse": {"message": "Unsure."}}, stream="hold"))
FLAGS = plan_of(rule("unsure", {"confidence": {}}, {"flag": {"u": "Unsure."}}, stream="after", on_unverified="flag"))


def chunks(said: Said, *, tells: bool = True) -> list[ChatCompletionChunk]:
    events = streamed("chat", [said], tells=tells)[:-1]
    return [ChatCompletionChunk.model_validate(json.loads(event[6:])) for event in events]


class Told:
    """A guard, and what it said of the answers."""

    def __init__(self, plan: Any = FLAGS) -> None:
        self.verdicts: list[Verdict] = []
        self.guard = Guard(plan, on_verdict=self.verdicts.append)

    @property
    def flags(self) -> list[str]:
        return [flag.name for verdict in self.verdicts for flag in verdict.flags]


@pytest.mark.parametrize("api", ["chat", "completions", "responses"])
@pytest.mark.parametrize(
    ("said", "tells", "flags"), [(UNSURE, True, ["u"]), (SURE, True, []), (SURE, False, ["unverified"])]
)
def test_an_answer_of_any_api(api: str, said: Said, tells: bool, flags: list[str]) -> None:
    told = Told()
    value = plain(api, [said], tells=tells)
    assert told.guard(lambda _: value)("hello") == value
    assert told.flags == flags


@pytest.mark.parametrize(("said", "flags"), [(UNSURE, ["u"]), (SURE, [])])
def test_an_answer_as_the_sdk_gives_it(said: Said, flags: list[str]) -> None:
    told = Told()
    value = ChatCompletion.model_validate(plain("chat", [said], tells=True))
    assert told.guard(lambda _: value)("hello") is value
    assert told.flags == flags


@pytest.mark.parametrize(
    ("said", "tells", "flags"), [(UNSURE, True, ["u"]), (SURE, True, []), (SURE, False, ["unverified"])]
)
async def test_a_stream_of_chunks(said: Said, tells: bool, flags: list[str]) -> None:
    pieces = chunks(said, tells=tells)
    told = Told()

    @told.guard
    def answers(question: str) -> Iterator[ChatCompletionChunk]:
        yield from pieces

    assert list(answers("hello")) == pieces
    assert told.flags == flags
    told = Told()

    @told.guard
    async def later(question: str) -> AsyncIterator[ChatCompletionChunk]:
        for piece in pieces:
            yield piece

    assert [one async for one in later("hello")] == pieces
    assert told.flags == flags


def test_a_refusal_comes_before_the_answer() -> None:
    with pytest.raises(Refused, match=r"Unsure\."):
        Guard(REFUSES)(lambda _: plain("chat", [UNSURE], tells=True))("hello")
    pieces = Guard(REFUSES)(lambda _: (one for one in chunks(UNSURE)))("hello")
    with pytest.raises(Refused, match=r"Unsure\."):
        next(pieces)


@pytest.mark.parametrize("value", ["It is so.", {"answer": "It is so."}, ["It is so."]])
def test_a_text_alone_is_unverified(value: Any) -> None:
    told = Told()
    told.guard(lambda _: value)("hello")
    assert told.flags == ["unverified"]


def test_so_is_a_stream_of_texts() -> None:
    told = Told()
    assert list(told.guard(lambda _: iter_of("It ", "is so."))("hello")) == ["It ", "is so."]
    assert told.flags == ["unverified"]


def iter_of(*pieces: str) -> Iterator[str]:
    yield from pieces


def test_what_is_only_checked() -> None:
    guard = Guard(FLAGS)
    (flag,) = guard.check(plain("chat", [UNSURE], tells=True), side="completion").flags
    assert flag.name == "u"
    assert guard.check("It is so.").flags == []  # a prompt
