"""What is asked of a stream before its end: sentences, in the background, and never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lockgate.detectors.catalog import CATALOG, Entry
from lockgate.detectors.protocol import WHOLE
from lockgate.detectors.size import SizeConfig
from lockgate.exchange import Exchange, Segment
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.schema import Policy
from lockgate.verdict import Finding

CHANNEL = "/choices/0/message/content"
RULE = {
    "id": "note",
    "side": "completion",
    "use": {"eager": {"max_characters": 5}},
    "stream": "after",
    "then": {"flag": {"notice": "It was looked at."}},
}


class Eager:
    kind = "eager"
    reach = WHOLE
    gives_spans = False
    labels = frozenset({"SEEN"})
    languages = frozenset[str]()

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.go.set()
        self.stuck = False

    async def ahead(self, segment: Segment, exchange: Exchange) -> None:
        self.asked.append(segment.text)
        await self.go.wait()
        if "!" in segment.text:
            raise ValueError

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> list[Finding]:
        if self.stuck:
            await asyncio.Event().wait()
        return [Finding("eager", "SEEN", 1.0, segments[0].where)]


@pytest.fixture
def eager() -> Eager:
    return Eager()


def stream(eager: Eager, **bounds: int) -> Any:
    policy = Policy.model_validate({"version": 1, "name": "t", "rules": [RULE], "stream": bounds})
    plan = compile_policy(policy, catalog={**CATALOG, "eager": Entry(SizeConfig, lambda _: eager)})
    return Passage(plan, Exchange("01", "chat")).stream()


async def told(said: Any, *pieces: str) -> None:
    for piece in pieces:
        said.feed(0, CHANNEL, "text", piece)
        await asyncio.sleep(0)


async def test_sentences_are_asked_about_as_they_end(eager: Eager) -> None:
    said = stream(eager)
    await told(said, "One", " two.", " Three", " four? ")
    assert eager.asked == ["One two.", "One two. Three four? "]
    verdict = await said.end(0)
    assert [flag.text for flag in verdict.flags] == ["It was looked at."]


async def test_one_question_is_under_way_at_once(eager: Eager) -> None:
    eager.go.clear()
    said = stream(eager)
    await told(said, "a.", " b.", " c.")
    assert eager.asked == ["a."]
    eager.go.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert eager.asked == ["a.", "a. b. c."]


async def test_what_breaks_ahead_is_asked_again_at_the_end(eager: Eager) -> None:
    said = stream(eager)
    await told(said, "a!", " b!")
    assert (await said.end(0)).flags


async def test_the_end_of_a_stream_ends_what_is_asked(eager: Eager) -> None:
    eager.go.clear()
    said = stream(eager)
    await told(said, "a.")
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert len(others) == 1
    await said.end(0)
    said.close()
    await asyncio.gather(*others, return_exceptions=True)
    assert all(task.done() for task in others)


async def test_a_note_that_is_late_is_flagged_as_unverified(eager: Eager) -> None:
    eager.stuck = True
    said = stream(eager, flag_wait_ms=10)
    await told(said, "a.")
    verdict = await said.end(0)
    assert [flag.name for flag in verdict.flags] == ["unverified"]
    assert [failure.reason for failure in verdict.failures] == ["timeout"]
    assert not verdict.unavailable


async def test_without_a_loop_the_end_asks_for_all(eager: Eager) -> None:
    said = stream(eager)
    await asyncio.to_thread(said.feed, 0, CHANNEL, "text", "a. b.")
    assert eager.asked == []
    assert (await said.end(0)).flags
