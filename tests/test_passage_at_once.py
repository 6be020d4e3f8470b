"""Rules that the request alone decides, in a stream: nothing leaves before what is certain from the start."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.errors import GuardUnavailable, Refused
from lockgate.exchange import Exchange, Reading, Subject
from lockgate.passage import Passage
from lockgate.pieces import Pieces
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.settling import settled
from lockgate.verdict import Action, Verdict
from lockgate.wire.values import edit_value, read_value

WORDS = {"words": {"words": ["secret"]}}
TAGGED = '"no" in request.tags'
BROKEN = 'request.tags[5] == "x"'  # there is no such tag
TEXT = "a secret thing"


def plan_of(*rules: dict[str, Any], **top: Any) -> Plan:
    filled = [{"id": f"r{i}", "side": "completion", **rule} for i, rule in enumerate(rules)]
    return compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": filled, **top}))


def passage(plan: Plan, *tags: str) -> Passage:
    return Passage(plan, Exchange("x", "text", Subject(tags=tags)))


async def whole(plan: Plan, *tags: str) -> tuple[Verdict, str]:
    reading = Reading()
    read_value(reading, "", TEXT, "assistant", 0)
    verdict = await passage(plan, *tags).answer(reading)
    stopped = verdict.unavailable or verdict.action is Action.REFUSE
    return verdict, "" if stopped else edit_value(TEXT, verdict.edits)


async def streamed(plan: Plan, *tags: str) -> tuple[Verdict, str]:
    pieces = Pieces(passage(plan, *tags).stream())
    out: list[str] = []
    try:
        for chunk in ("a se", "cret ", "thing"):
            out += await pieces.add(chunk)
        rest, verdict = await pieces.end()
    except (Refused, GuardUnavailable) as stopped:
        return stopped.verdict, "".join(out)
    return verdict, "".join([*out, *rest])


@pytest.mark.parametrize(
    "rules",
    [
        [{"when": TAGGED, "then": "refuse"}],
        [{"when": BROKEN, "then": "refuse"}],
        [{"when": BROKEN, "then": "refuse", "on_error": "allow"}],
        [{"when": TAGGED, "then": {"flag": {"note": "x"}}}],
        [{"use": WORDS, "when": TAGGED, "then": {"rewrite": "mask"}}],
        [{"use": WORDS, "when": BROKEN, "then": {"rewrite": "mask"}, "on_error": "allow"}],
        [{"when": TAGGED, "then": "refuse"}, {"when": TAGGED, "permit": ["r0"]}],
        [{"when": TAGGED, "then": "refuse", "final": True}, {"when": TAGGED, "permit": ["r0"]}],
        # A permit whose condition has no value permits nothing.
        [{"use": WORDS, "then": {"rewrite": "mask"}}, {"when": BROKEN, "permit": ["r0"], "on_error": "allow"}],
        [{"use": WORDS, "then": {"rewrite": "mask"}}, {"when": BROKEN, "permit": ["WORDS"], "on_error": "allow"}],
        # A permit that another one takes away permits nothing, and of two that take each other away one stays.
        [
            {"use": WORDS, "then": {"rewrite": "mask"}},
            {"when": TAGGED, "permit": ["r0"]},
            {"when": TAGGED, "permit": ["r1"], "principle": "high"},
        ],
        [{"when": TAGGED, "then": "refuse", "permit": ["r1"]}, {"when": TAGGED, "then": "refuse", "permit": ["r0"]}],
    ],
)
@pytest.mark.parametrize("tags", [(), ("no",)])
async def test_a_stream_lets_through_what_the_whole_does(rules: list[dict[str, Any]], tags: tuple[str, ...]) -> None:
    plan = plan_of(*rules, principles=[{"id": "high", "priority": 9, "text": "x"}])
    (verdict, text), (came, out) = await whole(plan, *tags), await streamed(plan, *tags)
    assert out == text
    assert (came.action, came.unavailable, came.failed_open) == (
        verdict.action,
        verdict.unavailable,
        verdict.failed_open,
    )
    assert {(r.rule, r.outcome, r.by) for r in came.rules} == {(r.rule, r.outcome, r.by) for r in verdict.rules}


async def test_a_refusal_by_the_request_alone_lets_nothing_out() -> None:
    plan = plan_of({"when": TAGGED, "then": {"refuse": {"message": "Not for you."}}})
    stream = passage(plan, "no").stream()
    stream.feed(0, "/choices/0/message/content", "text", TEXT)
    stream.feed(1, "/choices/1/message/content", "text", TEXT)
    for choice in (0, 1):
        assert stream.tripped
        assert stream.refused(choice)
        assert stream.gate(f"/choices/{choice}/message/content").cleared == 0
        assert (await stream.end(choice)).refused_choices == {choice: "Not for you."}


async def test_one_that_comes_after_comes_after() -> None:
    plan = plan_of({"when": TAGGED, "then": "refuse", "stream": "after"})
    stream = passage(plan, "no").stream()
    stream.feed(0, "/c", "text", TEXT)
    assert not stream.tripped
    assert stream.gate("/c").cleared == len(TEXT)
    assert (await stream.end(0)).action is Action.REFUSE


async def test_a_stream_without_a_word_is_refused_too() -> None:
    stream = passage(plan_of({"when": TAGGED, "then": "refuse"}), "no").stream()
    assert (await stream.end(0)).action is Action.REFUSE


def test_the_strongest_refusal_is_the_one_that_is_named() -> None:
    principles = [{"id": "high", "priority": 9, "text": "x"}]
    plan = plan_of(
        {"when": TAGGED, "then": "refuse"},
        {"when": TAGGED, "then": "refuse", "principle": "high"},
        {"when": TAGGED, "then": "refuse"},
        principles=principles,
    )
    found = settled(plan.completion, Exchange("x", "text", Subject(tags=("no",))))
    assert found.refusing is not None
    assert (found.refusing.id, found.closing) == ("r1", False)
    assert settled(plan.completion, Exchange("x", "text")).refusing is None
