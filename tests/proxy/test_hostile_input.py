"""What an upstream can make much of, costs each piece of it no more than the one before."""

from __future__ import annotations

import pytest

from lockgate.exchange import Exchange
from lockgate.gate import Gate
from lockgate.passage import Passage
from lockgate.wire.chat import ChatLens
from lockgate_proxy.release import Release
from lockgate_proxy.sse import Splitter
from saying import choice, chunk, finish, patterns, plan_of, rule, text

MANY = 400


async def play(*events: bytes) -> None:
    plan = plan_of(rule("r", patterns(X="secret"), "refuse"))
    stream = Passage(plan, Exchange("01TEST", "chat", stream=True, choices=MANY)).stream()
    release = Release(stream, ChatLens(), choices=MANY, note={}, prompt_flags=[])
    for event in Splitter().feed(b"".join(events)):
        await release.add(event)
    await release.end()


@pytest.mark.parametrize(
    "ends",
    [
        [],
        [finish("stop", i) for i in range(MANY)],
        [chunk(*(choice({}, i, "stop") for i in range(MANY)))],
        [text("secret", i) for i in range(MANY)],
    ],
    ids=["none", "one by one", "at once", "refused"],
)
async def test_ending_a_choice_asks_its_own_gates_only(monkeypatch: pytest.MonkeyPatch, ends: list[bytes]) -> None:
    asked = 0
    due = Gate.due

    def counting(gate: Gate) -> object:
        nonlocal asked
        asked += 1
        return due(gate)

    monkeypatch.setattr(Gate, "due", counting)
    await play(*(text("hello ", i) for i in range(MANY)), *ends)
    assert asked <= 3 * MANY


async def test_places_that_no_lens_knows_are_counted_once() -> None:
    plan = plan_of(rule("r", patterns(X="secret"), "refuse"), unknown="flag")
    stream = Passage(plan, Exchange("01TEST", "chat", stream=True)).stream()
    for _ in range(3):
        stream.skip({"/a": "unread: unknown", "/b": "unread: unknown"}, ["/a", "/b"])
    verdict = await stream.end(0)
    assert [flag.name for flag in verdict.flags] == ["unverified"]
    assert stream.close().coverage.unread == 2
