"""What a person reads. Each line says one thing; the colours can be left out without loss."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from compiling import plan_of
from lockgate.explain import Recorded, explain
from lockgate.policy.plan import Plan
from lockgate_proxy.explain_text import render

WORDS: dict[str, Any] = {"words": {"words": ["secret"]}}


def body(content: str, **more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}], **more}).encode()


def answer(content: str) -> bytes:
    return json.dumps({"choices": [{"index": 0, "message": {"content": content}}]}).encode()


def said(plan: Plan, recorded: Recorded, *, text: bool = False, colour: bool = False) -> str:
    return render(asyncio.run(explain(plan, recorded, text=text)), colour=colour)


def test_a_transcript() -> None:
    plan = plan_of({"use": WORDS, "then": {"rewrite": "redact", "flag": {"notice": "Edited."}}}, name="demo")
    shown = said(plan, Recorded(body("a secret", metadata={"k": "v"}), answer("the secret is out")), text=True)
    for line in (
        "Prompt: rewrite",
        "  /messages/0/content  user text, 8 characters; looked at by words",
        "    WORDS 2–8  secret  words, score 1.00, r0",
        "    2–8 becomes [WORDS]  r0",
        "    - a secret",
        "    + a [WORDS]",
        "  flag notice: Edited.  r0",
        "    r0  rewrite: redact   applied: found WORDS",
        "Answer, whole: rewrite",
        "Answer, streamed: rewrite",
        "  choice 0 ends as it came",
        "      the [WORDS] is out",
        "In a stream, each rule",
        "  r0  span    holds back what may become a match, 8 characters at most  demo",
    ):
        assert line in shown.splitlines(), shown


@pytest.mark.parametrize(
    ("plan", "recorded", "lines"),
    [
        (
            plan_of({"use": WORDS, "then": {"refuse": {"message": "No."}}}),
            Recorded(body("a secret"), answer("a secret")),
            [
                "  the client gets 400: No.; the upstream is not asked",
                "  (the prompt was stopped, so there would be no answer)",
                "  choice 0 ends in content_filter: No.",
                "  choice 0 ends with content_filter: No.",
            ],
        ),
        (
            plan_of({"use": {"tone": {}}}),
            Recorded(body("crash")),
            ["  the client gets 503: guardrail_unavailable; the upstream is not asked", "    crash of tone  r0"],
        ),
        (
            plan_of({"side": "prompt", "use": WORDS, "where": {"role": "tool"}}),
            Recorded(body("fine", odd=1)),
            [
                "  /messages/0/content  user text, 4 characters; unwatched: no rule looks at this kind of text",
                "  /odd  unread: unknown",
                "  none looks at answers",
            ],
        ),
        (
            plan_of({"use": {"size": {"max_characters": 1}}, "stream": "after", "then": "record"}),
            Recorded(answer=answer("long")),
            [
                "    TOO_LONG all of it    size, score 1.00, r0",
                "  r0  after   holds nothing back; comes after the text  t",
            ],
        ),
    ],
)
def test_what_happens_is_said(plan: Plan, recorded: Recorded, lines: list[str]) -> None:
    shown = said(plan, recorded)
    for line in lines:
        assert line in shown.splitlines(), shown


def test_without_colours_nothing_is_lost() -> None:
    plan = plan_of({"use": WORDS, "then": {"rewrite": "redact"}})
    recorded = Recorded(body("a secret"), answer("secret"))
    coloured = said(plan, recorded, colour=True)
    assert "\x1b[1;33mrewrite\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == said(plan, recorded)


def test_the_exchange_can_not_steer_the_terminal() -> None:
    plan = plan_of({"use": WORDS})
    hostile = "\x1b]0;title\x07 secret \x9b31m\u202e"
    shown = said(plan, Recorded(body(hostile, **{"odd\x1b[2J": 1}), answer(hostile)), text=True, colour=False)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert "\\x1b]0;title\\x07 secret" in shown
