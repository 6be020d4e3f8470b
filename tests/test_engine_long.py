"""Texts that take long to scan: a turn for others now and then, and an end at the deadline."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from compiling import WORDS, plan_of
from lockgate.detectors.scanner import ScanError, Scanner
from lockgate.engine import PIECE, Engine, Looked, Pin
from lockgate.exchange import Exchange, Segment
from lockgate.policy.plan import Plan

RULE: dict[str, Any] = {"id": "r", "use": WORDS, "then": {"rewrite": "redact"}}
FILLER = "Nothing to see in this sentence. "


async def look(plan: Plan, *texts: str, deadline: float = 60.0, engine: Engine | None = None, **more: Any) -> Looked:
    segments = [Segment(f"/messages/{i}/content", "user", "text", text) for i, text in enumerate(texts)]
    return await (engine or Engine()).look(plan.prompt, segments, Exchange("id", "chat"), deadline=deadline, **more)


def spans(looked: Looked) -> list[tuple[int, int] | None]:
    return [finding.span for finding in looked.of("r").findings]


def failures(looked: Looked) -> list[tuple[str, str]]:
    return [(failure.where, failure.reason) for failure in looked.of("r").failures]


async def turns(looking: Any) -> tuple[Looked, int]:
    """What a look gives, and how often others had a turn meanwhile."""
    task = asyncio.ensure_future(looking)
    count = 0
    while not task.done():
        count += 1
        await asyncio.sleep(0)
    return task.result(), count


@pytest.mark.parametrize("at", [0, PIECE - 3, PIECE, 2 * PIECE - 6, 3 * PIECE])
async def test_a_long_text_is_read_whole(at: int) -> None:
    text = (FILLER * 3000)[:at] + " secret " + FILLER * 300
    looked, _ = await turns(look(plan_of(RULE), text))
    assert spans(looked) == [(at + 1, at + 7)]
    assert failures(looked) == []


async def test_others_have_a_turn_between_pieces() -> None:
    plan = plan_of(RULE)
    _, short = await turns(look(plan, FILLER))
    _, long = await turns(look(plan, "x " * (5 * PIECE)))
    _, many = await turns(look(plan, *["x " * (PIECE // 4)] * 20))
    assert short == 1
    assert long >= 10
    assert many >= 9


@pytest.mark.parametrize("text", ["secret " * PIECE, "\u200b" * (3 * PIECE) + "secret"])
async def test_beyond_the_deadline_a_text_is_not_read(text: str) -> None:
    looked = await look(plan_of(RULE), "a secret", text, deadline=0.0)
    assert [finding.where for finding in looked.of("r").findings] == ["/messages/0/content"]
    assert failures(looked) == [("/messages/1/content", "timeout")]


async def test_only_rules_that_take_part_fail() -> None:
    plan = plan_of(RULE, {"id": "other", "use": WORDS})
    looked = await look(plan, "x " * PIECE, deadline=0.0, active=frozenset({"other"}))
    assert failures(looked) == []
    assert [failure.reason for failure in looked.of("other").failures] == ["timeout"]
    pinned = Engine({"words": Pin(fails="crash")})
    looked = await look(plan, "x " * PIECE, deadline=0.0, engine=pinned)
    assert failures(looked) == [("/messages/0/content", "crash")], "the pin's, and no other"


async def test_a_scanner_without_memory_fails_its_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(RULE)

    def scan(*_: object, **__: object) -> object:
        raise ScanError("no memory")

    monkeypatch.setattr(Scanner, "scan", scan)
    looked = await look(plan, "x", "x " * PIECE)
    assert failures(looked) == [("/messages/0/content", "crash"), ("/messages/1/content", "crash")]


async def test_dearer_detectors_have_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(RULE, {"id": "size", "use": {"size": {"max_characters": 10}}, "side": "prompt"})
    given: list[float] = []
    detect = Engine._detect

    async def detected(self: Engine, slow: Any, exchange: Exchange, looked: Looked, deadline: float) -> None:
        given.append(deadline)
        await detect(self, slow, exchange, looked, deadline)

    monkeypatch.setattr(Engine, "_detect", detected)
    await look(plan, "x", deadline=5.0)
    await look(plan, "x " * PIECE, deadline=5.0)
    assert given[0] == 5.0
    assert 0.0 < given[1] < 5.0
