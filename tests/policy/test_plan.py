from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from compiling import WORDS, plan_of
from lockgate.exchange import Exchange, Subject
from lockgate.policy.plan import request_facts


@pytest.mark.parametrize(
    ("then", "acts"),
    [("refuse", True), ({"rewrite": "mask"}, True), ({"flag": {"notice": "x"}}, False), ("record", False)],
)
def test_a_rule_acts_if_it_can_stop_or_change_text(then: Any, acts: bool) -> None:
    (rule,) = plan_of({"use": WORDS, "then": then}).prompt.rules
    assert rule.acts is acts


def test_a_rule_admits_by_role_and_kind() -> None:
    (rule,) = plan_of({"use": WORDS, "where": {"role": ["user", "tool"], "kind": "text"}}).prompt.rules
    assert rule.admits("user", "text")
    assert rule.admits("tool", "text")
    assert not rule.admits("system", "text")
    assert not rule.admits("user", "reasoning")


def test_detectors_that_are_tables_and_those_that_are_code() -> None:
    (rule,) = plan_of({"use": {**WORDS, "size": {"max_characters": 9}}, "stream": "hold"}).prompt.rules
    assert [(use.kind, use.patterned) for use in rule.uses] == [("words", True), ("size", False)]


def test_each_side_has_its_own_rules() -> None:
    plan = plan_of({"id": "asked", "use": WORDS, "side": "prompt"}, {"id": "said", "use": WORDS, "side": "completion"})
    assert (plan.side("prompt"), plan.side("completion")) == (plan.prompt, plan.completion)
    assert [rule.id for rule in plan.prompt.rules] == ["asked"]
    assert [rule.id for rule in plan.completion.rules] == ["said"]


def test_a_text_that_no_rule_admits_has_no_look() -> None:
    plan = plan_of({"use": WORDS, "where": {"role": "tool"}})
    assert plan.prompt.look("tool", "text") is not None
    assert plan.prompt.look("user", "text") is None


def test_what_a_condition_is_told_of_the_request() -> None:
    exchange = Exchange("1", "chat", Subject("m-1", "u-1", ("a", "b"), "acme"), stream=True)
    assert request_facts(exchange, "completion") == {
        "model": "m-1",
        "user": "u-1",
        "tags": ["a", "b"],
        "tenant": "acme",
        "country": "",
        "language": "",
        "stream": True,
        "side": "completion",
        "dialect": "chat",
    }
    assert request_facts(Exchange("1", "text"), "prompt") == {
        "model": "",
        "user": "",
        "tags": [],
        "tenant": "",
        "country": "",
        "language": "",
        "stream": False,
        "side": "prompt",
        "dialect": "text",
    }


@pytest.mark.parametrize("part", ["plan", "side", "rule", "look"])
def test_a_plan_is_shared_so_nobody_changes_it(part: str) -> None:
    plan = plan_of({"use": WORDS})
    look = plan.prompt.look("user", "text")
    assert look is not None
    held: Any = {"plan": plan, "side": plan.prompt, "rule": plan.prompt.rules[0], "look": look}[part]
    name = next(iter(held.__slots__))
    with pytest.raises(FrozenInstanceError):
        setattr(held, name, None)
