from __future__ import annotations

from typing import Any

import pytest

from lockgate.exchange import Exchange, Reading, Segment
from lockgate.passage import Passage
from lockgate.verdict import Action
from saying import patterns, plan_of, rule, words

KEYS = rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}, side=["prompt"])
STOP = rule("stop", words("plugh"), {"refuse": {"message": "Not that word."}}, side=["prompt"])


async def judged(text: str, *unseen: str, **top: Any) -> Any:
    reading = Reading([Segment("/input", "user", "text", text)])
    for where in unseen:
        reading.hidden(where, "unseen: earlier turns")
    return await Passage(plan_of(KEYS, STOP, **top), Exchange("X", "responses")).prompt(reading)


@pytest.mark.parametrize(
    ("way", "action", "rules"),
    [
        ("allow", Action.REWRITE, ["keys"]),
        ("flag", Action.REWRITE, ["keys", "unseen"]),
        ("refuse", Action.REFUSE, ["unseen", "keys"]),
    ],
)
async def test_what_the_upstream_keeps_is_judged_by_the_policy(way: str, action: Action, rules: list[str]) -> None:
    verdict = await judged("sk-abcd1234", "/previous_response_id", unseen=way)
    assert (verdict.action, verdict.applied) == (action, rules)
    assert verdict.coverage.skipped == {"/previous_response_id": "unseen: earlier turns"}
    assert bool(verdict.edits) == (way != "refuse")
    assert [flag.name for flag in verdict.flags] == (["unverified"] if way == "flag" else [])
    assert verdict.where == ("/previous_response_id" if way == "refuse" else "")


async def test_where_nothing_is_kept_nothing_is_refused() -> None:
    assert (await judged("hello", unseen="refuse")).action is Action.ALLOW


async def test_a_rule_that_refuses_keeps_its_message() -> None:
    verdict = await judged("plugh", "/conversation", unseen="refuse")
    assert (verdict.message, verdict.where) == ("Not that word.", "/input")
