"""A stream of pieces. Around functions it is in test_guard_streams.py and test_guard_sdk.py."""

from __future__ import annotations

from typing import Any

import pytest

from compiling import WORDS, plan_of
from fakes import chat_chunk
from lockgate import GuardUnavailable, Refused
from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.pieces import Pieces, raise_for
from lockgate.policy.plan import Plan

REDACTS = plan_of({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}})
REFUSES = plan_of({"id": "words", "use": WORDS})


def through(plan: Plan) -> Pieces:
    return Pieces(Passage(plan, Exchange("1", "text", stream=True)).stream())


def spoken(pieces: list[Any], index: int = 0) -> str:
    return "".join(c["delta"].get("content", "") for one in pieces for c in one["choices"] if c["index"] == index)


async def test_pieces_keep_their_order_and_wait_for_each_other() -> None:
    pieces = through(REDACTS)
    held = [
        await pieces.add(chat_chunk({"content": "a sec"})),
        await pieces.add(chat_chunk({"content": "b "}, index=1)),
    ]
    assert held == [[], []]
    out = await pieces.add(chat_chunk({"content": "ret. "}))
    rest, verdict = await pieces.end()
    assert (spoken(out + rest), spoken(out + rest, 1)) == ("a [WORDS]. ", "b ")
    assert verdict.action.word == "rewrite"


async def test_a_chunk_that_says_it_ends_and_does_not() -> None:
    pieces = through(REDACTS)
    out = await pieces.add(chat_chunk({"content": "a sec"}, finish="stop"))
    out += await pieces.add(chat_chunk({"content": "ret"}, finish="stop"))
    rest, _ = await pieces.end()
    assert spoken(out + rest) == "a [WORDS]"


async def test_any_refused_choice_stops_the_stream() -> None:
    pieces = through(REFUSES)
    assert len(await pieces.add(chat_chunk({"content": "fine. "}))) == 1
    with pytest.raises(Refused) as raised:
        for text in ("a secret. ", "more. ", "more. "):
            await pieces.add(chat_chunk({"content": text}, index=1))
    assert list(raised.value.verdict.refused_choices) == [1]


async def test_what_a_chunk_has_that_is_unknown() -> None:
    pieces = through(plan_of({"id": "words", "use": WORDS}, unknown="refuse"))
    with pytest.raises(Refused):
        await pieces.add(chat_chunk({"content": "fine. ", "mood": "x"}))


async def test_a_verdict_that_stops_nothing() -> None:
    _, verdict = await through(REFUSES).end()
    raise_for(verdict)
    verdict.unavailable = True
    with pytest.raises(GuardUnavailable):
        raise_for(verdict)
