"""The shipped policies: their own tests pass and reach every rule, and they keep what is promised of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pages
from lockgate import Action, Guard, load_policy
from lockgate.detectors.catalog import CATALOG
from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.policy import load
from lockgate.policy.cases import run_suite
from lockgate.policy.compile import compile_policy
from lockgate.policy.locate import find_policy, policy_names
from lockgate.policy.plan import Plan
from lockgate.wire.chat import ChatLens
from policy_table import table


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {name: compile_policy(load_policy(name)) for name in policy_names()}


def test_these_are_shipped() -> None:
    assert policy_names() == ["constitution", "default", "honest", "permissive", "private", "strict"]


@pytest.mark.parametrize("name", policy_names())
async def test_its_cases_pass_and_reach_every_rule(name: str, plans: dict[str, Plan]) -> None:
    result = await run_suite(plans[name], load.load_suite(load.test_file_of(find_policy(name))))
    assert [(case.name, case.problems) for case in result.cases if case.status != "PASS"] == []
    sides = (plans[name].prompt, plans[name].completion)
    own = {rule.id for side in sides for rule in side.rules if rule.layer == 0}
    assert own.isdisjoint(result.uncovered), "what it extends has tests of its own"


@pytest.mark.parametrize("name", policy_names())
def test_every_rule_says_why(name: str) -> None:
    policy = load_policy(name)
    used = {rule.principle for rule in policy.rules}
    assert used == {principle.id for principle in policy.principles}
    assert policy.description


def test_the_readme_has_the_table_of_the_default(plans: dict[str, Plan]) -> None:
    wanted = table(load_policy("default"), plans["default"])
    if wanted not in pages.text_of("README.md"):
        pytest.fail(f"the README's table should be:\n{wanted}", pytrace=False)


def test_permissive_looks_with_every_detector_and_acts_with_none(plans: dict[str, Plan]) -> None:
    plan = plans["permissive"]
    for side in (plan.prompt, plan.completion):
        for rule in side.rules:
            assert rule.action is Action.ALLOW
            assert not rule.flags
            assert rule.on_error == "allow"
        kinds = {use.kind for rule in side.rules for use in rule.uses}
        own = {"patterns", "words", "presidio", "classifier", "groundedness", "honesty", "topic", "language", "judge"}
        own |= {"confidence"}
        own |= {"leak"} if side.side == "prompt" else set()
        assert kinds == CATALOG.keys() - own, "those need a list of one's own, or an extra, or an answer"
    assert (plan.unknown, plan.unguarded) == ("allow", "allow")


def test_strict_fails_closed_everywhere(plans: dict[str, Plan]) -> None:
    plan = plans["strict"]
    assert {rule.on_error for side in (plan.prompt, plan.completion) for rule in side.rules} == {"refuse"}
    assert (plan.unknown, plan.unguarded) == ("refuse", "refuse")


def test_the_default_closes_where_it_acts(plans: dict[str, Plan]) -> None:
    plan = plans["default"]
    acting = [rule for side in (plan.prompt, plan.completion) for rule in side.rules if rule.acts]
    assert acting
    assert {rule.on_error for rule in acting} == {"refuse"}


def test_no_rule_of_the_shipped_policies_holds_a_whole_answer(plans: dict[str, Plan]) -> None:
    held = {name for name, plan in plans.items() for rule in plan.completion.rules if rule.stream == "hold"}
    assert held == {"constitution"}, "a judge judges the whole"


def conversation(where: str, text: str) -> list[dict[str, Any]]:
    """A user's question, a tool call and the tool's result, with `text` in the part that `where` names."""
    said = {"user": "What does it cost?", "arguments": "", "tool": "Nothing.", where: text}
    call = {"name": "look_up", "arguments": json.dumps({"for": said["arguments"]})}
    return [
        {"role": "user", "content": said["user"]},
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "1", "content": said["tool"]},
    ]


@pytest.mark.parametrize("text", ["219-09-9998", "4111111111111111", "glpat-Xy7kQ2mN9pRt4vWs8zBd"])
@pytest.mark.parametrize("where", ["user", "arguments", "tool"])
@pytest.mark.parametrize("name", ["default", "strict"])
def test_values_are_taken_out_of_every_part(name: str, where: str, text: str, plans: dict[str, Plan]) -> None:
    messages = conversation(where, f"Is {text} still valid?")
    guard = Guard(plans[name])
    verdict = guard.check(messages)
    assert verdict.action is Action.REWRITE
    edited = guard.edited(messages, verdict)
    assert text not in str(edited)
    assert json.loads(edited[1]["tool_calls"][0]["function"]["arguments"])


def test_permissive_leaves_a_conversation_alone(plans: dict[str, Plan]) -> None:
    messages = conversation("tool", "see 219-09-9998, glpat-Xy7kQ2mN9pRt4vWs8zBd and \u200b.")
    guard = Guard(plans["permissive"])
    verdict = guard.check(messages)
    assert {finding.detector for finding in verdict.findings} == {"pii", "secrets", "invisible"}
    assert guard.edited(messages, verdict) is messages


@pytest.mark.parametrize(
    ("name", "action"), [("default", Action.REWRITE), ("strict", Action.REFUSE), ("permissive", Action.ALLOW)]
)
async def test_hidden_text_in_a_tools_description(name: str, action: Action, plans: dict[str, Plan]) -> None:
    function = {"name": "f", "description": "Adds.\u200b\u200b\u200bMails the log."}
    request = {"messages": [], "tools": [{"type": "function", "function": function}]}
    verdict = await Passage(plans[name], Exchange("01TEST", "chat")).prompt(ChatLens().read_request(request))
    assert verdict.action is action
    assert {finding.where for finding in verdict.findings} == {"/tools/0/function/description"}


async def test_personal_data_in_a_tools_description_is_left_to_its_developer(plans: dict[str, Plan]) -> None:
    function = {"name": "pay", "description": "For example 4111 1111 1111 1111."}
    request = {"messages": [], "tools": [{"type": "function", "function": function}]}
    verdict = await Passage(plans["default"], Exchange("01TEST", "chat")).prompt(ChatLens().read_request(request))
    assert verdict.action is Action.ALLOW
