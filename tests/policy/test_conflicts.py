"""Pairs of rules that can collide, told before any exchange, agree with what happens in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compiling import WORDS, plan_of
from lockgate.policy.compile import compile_policy
from lockgate.policy.conflicts import conflicts
from lockgate.policy.load import load_policy

EXAMPLES = Path(__file__).resolve().parents[2] / "policies" / "examples" / "doses"
PRINCIPLES = [{"id": "low", "priority": 1, "text": "x"}, {"id": "high", "priority": 9, "text": "y"}]


def said(permit: dict[str, Any], rule: dict[str, Any]) -> list[str]:
    plan = plan_of(
        {"id": "may", "use": WORDS, "then": "record", **permit},
        {"id": "must", "use": WORDS, **rule},
        principles=PRINCIPLES,
    )
    return [str(found) for found in conflicts(plan)]


@pytest.mark.parametrize(
    ("permit", "rule", "expected"),
    [
        ({"permit": "must", "principle": "high"}, {"principle": "low"}, ["may permits what must acts on: its principle has the higher priority"]),
        ({"permit": "must", "principle": "low"}, {"principle": "high"}, ["must stands against the permit of may: its principle has the higher priority"]),
        ({"permit": "must"}, {}, ["may permits what must acts on: of equal priority, it is in the nearer file"]),
        ({"permit": "must", "principle": "high"}, {"final": True}, ["must stands against the permit of may: it is final"]),
        ({"permit": "WORDS"}, {}, ["may permits what must acts on (WORDS): of equal priority, it is in the nearer file"]),
        ({"permit": "must", "side": "prompt"}, {"side": "completion"}, []),
        ({}, {}, []),
    ],
)  # fmt: skip
def test_who_wins_and_why(permit: dict[str, Any], rule: dict[str, Any], expected: list[str]) -> None:
    if permit.get("side") != "prompt":
        permit, rule = {"side": "prompt", **permit}, {"side": "prompt", **rule}
    assert said(permit, rule) == expected


@pytest.mark.parametrize(
    ("name", "winner", "loser"), [("clinic", "doses-for-staff", "doses"), ("school", "doses", "doses-for-lessons")]
)
def test_the_worked_example(name: str, winner: str, loser: str) -> None:
    (found,) = conflicts(compile_policy(load_policy(str(EXAMPLES / f"{name}.yaml"))))
    assert (found.winner, found.loser, found.why) == (winner, loser, "priority")
