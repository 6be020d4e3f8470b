"""A text that falls silent in the middle of a word does not keep others waiting, as transcripts."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.policy.plan import Plan
from lockgate.wire.chat import ChatLens
from lockgate_proxy.held import LEAST
from lockgate_proxy.release import WITHHELD, Release
from lockgate_proxy.sse import Splitter
from playbook import ENDS, LET_GO, Player, failed, flagged, got, refused, says
from saying import DONE, arguments, choice, chunk, finish, patterns, plan_of, rule, said, text, words

KEYS = plan_of(rule("k", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
THREE = (text("The "), text("answer "), text("is "))


async def test_reasoning_without_a_full_stop(play: Player) -> None:
    await play(
        KEYS,
        says(said(reasoning="so sk-ab")), got(),
        says(THREE[0]), got(), says(THREE[1]), got(), says(THREE[2]), got(),
        says(text("42. ")), got(said(reasoning="so sk-ab"), *THREE, text("42. ")),
        says(text("Yes. ")), got(text("Yes. ")),
        says(finish(), DONE), got(finish(), DONE), ENDS,
    )  # fmt: skip


async def test_the_name_of_a_tool(play: Player) -> None:
    name = said(tool_calls=[{"index": 0, "id": "c", "function": {"name": "sk-", "arguments": ""}}])
    pieces = [arguments(piece) for piece in ('{"a"', ": 1, ", '"b": ', "2, ")]
    await play(
        KEYS,
        says(name), got(), says(*pieces[:3]), got(), says(pieces[3]), got(name, *pieces),
        says(DONE), got(DONE), ENDS,
    )  # fmt: skip


async def test_most_of_a_value_does_not_leave_because_it_was_left_standing(play: Player) -> None:
    plan = plan_of(rule("k", patterns(KEY=r"[0-9]{16}"), {"rewrite": "redact"}))
    first = said(reasoning="4111111111111")
    await play(
        plan,
        says(first), got(), says(*THREE, *THREE, text("42. ")), got(),
        says(said(reasoning="111!")), got(said(reasoning="[KEY]"), *THREE, *THREE, text("42. "), said(reasoning="!")),
        says(DONE), got(DONE), ENDS,
    )  # fmt: skip


async def test_it_goes_on_with_nothing_to_find(play: Player) -> None:
    first = said(reasoning="so sk-ab")
    await play(
        KEYS,
        says(first, *THREE, text("42. ")), got(first, *THREE, text("42. ")),
        says(said(reasoning="! then sk-abcd1234 ")), got(said(reasoning="! then [KEY] ")),
        says(DONE), got(DONE), ENDS,
    )  # fmt: skip


async def test_it_goes_on_with_the_rest_of_a_key(play: Player) -> None:
    first = said(reasoning="so sk-ab")
    await play(
        KEYS,
        says(first, *THREE, text("42. ")), got(first, *THREE, text("42. ")),
        says(said(reasoning="cd1234!")), got(failed()), LET_GO,
    )  # fmt: skip


@pytest.mark.parametrize(("on_error", "flags"), [("flag", [flagged("unverified")]), ("allow", [])])
async def test_as_the_rule_says(play: Player, on_error: str, flags: list[Any]) -> None:
    plan = plan_of(rule("k", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}, on_error=on_error))
    first, rest = said(reasoning="so sk-ab"), said(reasoning="cd1234! ")
    await play(
        plan,
        says(first, *THREE, text("42. ")), got(first, *THREE, text("42. ")), says(rest), got(rest),
        says(finish(), DONE), got(*flags, finish(), DONE), ENDS,
    )  # fmt: skip


async def test_a_rule_that_refuses_refuses(play: Player) -> None:
    plan = plan_of(rule("k", patterns(KEY=r"sk-[a-z0-9]{8}"), {"refuse": {"message": "No keys."}}))
    first = said(reasoning="so sk-ab")
    await play(
        plan,
        says(first, *THREE, text("42. ")), got(first, *THREE, text("42. ")),
        says(said(reasoning="cd1234!")), got(refused(0, "No keys."), DONE), LET_GO,
    )  # fmt: skip


async def test_what_seemed_a_word_and_was_the_beginning_of_another(play: Player) -> None:
    plan = plan_of(rule("w", words("plugh"), {"rewrite": "mask"}))
    await play(
        plan,
        says(said(reasoning="a plugh"), *THREE, text("42. ")), got(said(reasoning="a *****"), *THREE, text("42. ")),
        says(said(reasoning="ing ")), got(failed()), LET_GO,
    )  # fmt: skip


async def test_what_seemed_a_word_and_is_one(play: Player) -> None:
    plan = plan_of(rule("w", words("plugh"), {"rewrite": "mask"}))
    await play(
        plan,
        says(said(reasoning="a plugh"), *THREE, text("42. ")), got(said(reasoning="a *****"), *THREE, text("42. ")),
        says(said(reasoning=" and plugh.")), got(said(reasoning=" and *****.")),
        says(DONE), got(DONE), ENDS,
    )  # fmt: skip


async def test_two_names_of_reasoning_go_side_by_side(play: Player) -> None:
    both = [said(reasoning=piece, reasoning_content=piece) for piece in ("s", "k-ab", "cd12", "34 ")]
    left = [said(reasoning=piece, reasoning_content=piece) for piece in ("[KEY]", "", "", " ")]
    await play(KEYS, says(*both), got(*left), says(DONE), got(DONE), ENDS)


async def test_notes_come_whole(play: Player) -> None:
    note = said(annotations=[{"type": "url_citation", "url_citation": {"title": "sk-ab"}}])
    await play(KEYS, says(note), got(note), says(text("on. ")), got(text("on. ")), says(DONE), got(DONE), ENDS)


async def bounded(plan: Plan, limit: int, *events: bytes) -> tuple[list[bytes], Release]:
    stream = Passage(plan, Exchange("x", "chat", stream=True, choices=2)).stream()
    release = Release(stream, ChatLens(), choices=2, note={}, prompt_flags=[], limit=limit)
    out: list[bytes] = []
    for event in Splitter().feed(b"".join(events)):
        out.extend(await release.add(event))
    return out, release


async def test_more_bytes_wait_than_may() -> None:
    waits = text("so sk-ab")
    others = [text("on ", 1) for _ in range(4)]
    limit = 4 * LEAST
    out, release = await bounded(KEYS, limit, waits, *others[:3])
    assert out == []
    out, release = await bounded(KEYS, limit, waits, *others)
    assert out == [waits, *others]
    assert not release.finished
    out, release = await bounded(KEYS, limit, waits, *others, text("cd1234 "))
    assert out == [waits, *others]
    assert release.failed is not None
    assert {failure.reason for failure in release.failed.failures} == {"straddles"}


@pytest.mark.parametrize("on_error", ["refuse", "allow"])
async def test_more_bytes_wait_for_the_verdict_on_the_whole_than_may(on_error: str) -> None:
    twice = rule("twice", words("plugh"), "refuse", when="words.count > 1", stream="hold", on_error=on_error)
    events = [text("a ") for _ in range(9)]
    out, release = await bounded(plan_of(twice), 8 * LEAST, *events)
    if on_error == "refuse":
        assert (out, release.failed is not None) == ([], True)
    else:
        assert (out, release.failed) == (events, None)


async def test_a_choice_that_ends_waits_for_no_gate() -> None:
    both = chunk(choice({"content": "a "}, finish="stop"), choice({"content": "b "}, 1))
    out, release = await bounded(KEYS, 0, both)
    assert (out, release.finished) == ([], False)
    assert await release.end() == [both]


async def test_what_waits_behind_a_finish_is_bounded_as_well() -> None:
    end, idle = finish(), b": idle\n\n"
    out, release = await bounded(KEYS, 4 * LEAST, text("a "), end, *[idle] * 3)
    assert out == [text("a ")]
    out, release = await bounded(KEYS, 4 * LEAST, text("a "), end, *[idle] * 4)
    assert out == [text("a "), end, *[idle] * 4]
    assert not release.finished
    # It was taken for the end: what its choice says after that came too late.
    out, release = await bounded(KEYS, 4 * LEAST, text("a "), end, *[idle] * 4, text("sk-abcd1234 "), DONE)
    assert out == [text("a "), end, *[idle] * 4, DONE]
    assert WITHHELD in release._stream.close().coverage.skipped.values()
