"""Remarks on policies: a table of rules, and what is said of them; and that what is said to be constant is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiling import plan_of, policy_of
from lockgate.policy.compile import compile_policy
from lockgate.policy.conditions import Answer
from lockgate.policy.lint import WARNINGS, Remark, lint
from lockgate.policy.load import load_policy, load_suite
from lockgate.policy.suite import Suite

WORDS: dict[str, Any] = {"words": {"words": ["tea"]}}
MORE: dict[str, Any] = {"words": {"words": ["coffee"]}}
PROMPT: dict[str, Any] = {"side": "prompt", "use": WORDS}


def remarks(*rules: dict[str, Any], cases: list[dict[str, Any]] | None = None, **top: Any) -> list[Remark]:
    suite = Suite.model_validate({"version": 1, "cases": cases or [{"name": "any", "prompt": "x", "expect": "refuse"}]})
    policy = policy_of(*rules, **top)
    return lint(policy, compile_policy(policy), suite)


def said(*rules: dict[str, Any], **top: Any) -> list[tuple[str, str]]:
    return [(remark.kind, remark.rule) for remark in remarks(*rules, **top)]


CONDITIONS = [
    ("true", "always"),
    ("false", "never"),
    ("1 < 2", "always"),
    ("words.count > 0", None),
    ("words.count >= 0", "always"),
    ("words.count >= 1", None),
    ("words.count < 0", "never"),
    ("words.count != 3", None),
    ("words.score > 1.0", "never"),
    ("words.score >= 1.0", None),
    ("words.score <= 1.0", "always"),
    ("words.score > 0.5", None),
    ('request.model == "m"', None),
    ("words.count > 1 || true", None),
]


@pytest.mark.parametrize(("when", "kind"), CONDITIONS)
def test_conditions_that_can_not_be_otherwise(when: str, kind: str | None) -> None:
    assert said({**PROMPT, "when": when}) == ([(kind, "r0")] if kind else [])


@given(
    name=st.sampled_from(["count", "score"]),
    sign=st.sampled_from([">", ">=", "<", "<=", "==", "!="]),
    number=st.integers(0, 4),
    values=st.lists(st.integers(0, 10**6), min_size=1),
)
def test_what_is_said_to_be_always_or_never_so_is(name: str, sign: str, number: int, values: list[int]) -> None:
    limit = f"{number / 2:.1f}" if name == "score" else str(number)
    rule = {**PROMPT, "when": f"words.{name} {sign} {limit}"}
    kinds = {kind for kind, _ in said(rule)}
    condition = plan_of(rule).prompt.rules[0].condition
    assert condition is not None
    for value in (*values, 0, number):
        score = min(value / 2, 1.0)
        held = condition.evaluate({"words": Answer(score=score, labels={}, count=value)}, {})
        assert held or "always" not in kinds
        assert not held or "never" not in kinds


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        ({}, {"then": {"rewrite": "redact"}}, True),
        ({}, {"then": {"flag": {"n": "x"}}}, True),
        ({}, {"then": "record"}, False),
        ({}, {"use": MORE}, False),
        ({}, {"where": {"role": "user"}}, True),
        ({"where": {"role": "user"}}, {}, False),
        ({"side": "completion"}, {"side": "prompt"}, False),
        ({"when": "words.count > 3"}, {"then": {"rewrite": "redact"}}, False),
        ({"then": {"rewrite": "redact"}}, {"then": {"flag": {"n": "x"}}}, False),
        ({"mode": "shadow"}, {"then": {"rewrite": "redact"}}, False),
        ({}, {"then": {"rewrite": "redact"}, "mode": "shadow"}, False),
    ],
)
def test_a_rule_that_another_leaves_nothing_to_do(
    first: dict[str, Any], second: dict[str, Any], *, shadowed: bool
) -> None:
    found = said({**PROMPT, **first}, {**PROMPT, **second})
    assert (("shadowed", "r1") in found) is shadowed
    assert ("shadowed", "r0") not in found


def test_one_that_may_be_permitted_elsewhere_and_one_whose_message_is_read() -> None:
    principles = [{"id": "a", "priority": 9, "text": "x"}]
    found = said(PROMPT, {**PROMPT, "principle": "a"}, principles=principles)
    assert found == [("shadowed", "r0")]


class TestTests:
    def test_none_at_all(self) -> None:
        policy = policy_of(PROMPT)
        (remark,) = lint(policy, compile_policy(policy), None)
        assert (remark.kind, remark.level) == ("untested", "warning")

    @pytest.mark.parametrize(
        ("expect", "untested"),
        [
            ({"action": "refuse", "rules": ["r0"]}, ["r1"]),
            ({"action": "refuse", "rules": ["r0", "r1"]}, []),
            ({"action": "refuse"}, []),
            ({"action": "allow"}, ["r0", "r1"]),
            ({"action": "refuse", "rules": [], "failed": ["words"]}, []),
        ],
    )
    def test_rules_that_no_case_expects(self, expect: dict[str, Any], untested: list[str]) -> None:
        rules = (PROMPT, {**PROMPT, "use": MORE, "then": "record"})
        found = remarks(*rules, cases=[{"name": "x", "prompt": "tea", "expect": expect}])
        assert [remark.rule for remark in found if remark.kind == "untested"] == untested

    def test_a_permit_is_reached_by_what_is_allowed(self) -> None:
        permit = {"side": "prompt", "when": 'request.model == "m"', "then": None, "permit": ["r0"]}
        found = remarks(PROMPT, permit, cases=[{"name": "x", "prompt": "tea", "expect": "allow"}])
        assert [remark.rule for remark in found if remark.kind == "untested"] == ["r0"]

    def test_rules_that_are_inherited_have_their_own(self, tmp_path: Path) -> None:
        (tmp_path / "own.yaml").write_text("version: 1\nname: own\nextends: [permissive]\n", encoding="utf-8")
        policy = load_policy(tmp_path / "own.yaml")
        assert [one for one in lint(policy, compile_policy(policy), None) if one.kind == "untested"] == []


def test_a_principle_that_no_rule_names() -> None:
    (remark,) = remarks(PROMPT, principles=[{"id": "kind", "text": "Be kind."}])
    assert (remark.kind, remark.says) == ("unused", "no rule names the principle kind")


@pytest.mark.parametrize(
    ("use", "uncalibrated"),
    [({"classifier": {"heads": ["injection"]}}, False), ({"classifier": {"heads": ["injection"], "above": 0.9}}, True)],
)
def test_models(use: dict[str, Any], *, uncalibrated: bool) -> None:
    found = {kind for kind, _ in said({"side": "prompt", "use": use})}
    assert found == ({"uncalibrated", "language"} if uncalibrated else {"language"})
    assert "language" not in {k for k, _ in said({"side": "prompt", "use": use, "on_unverified": "flag"})}


def test_streams_and_shadows() -> None:
    held = {"use": WORDS, "when": "words.count > 1", "stream": "hold"}
    assert said(held) == [("hold", "r0")]
    assert said({**held, "stream": "after", "then": "record"}) == [("after", "r0")]
    assert said({**held, "mode": "shadow"}) == [("after", "r0"), ("shadow", "r0")]


@pytest.mark.parametrize("name", ["default", "strict", "permissive", "private", "honest", "constitution"])
def test_the_shipped_policies_have_no_warnings(name: str) -> None:
    path = Path(__file__).resolve().parents[2] / "policies" / f"{name}.yaml"
    policy = load_policy(path)
    suite = load_suite(path.with_name(f"{name}_test.yaml"))
    assert [remark for remark in lint(policy, compile_policy(policy), suite) if remark.kind in WARNINGS] == []


def test_what_overlays_bring(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "version: 1\nname: p\nrules:\n  - {id: tea, side: prompt, use: {words: {words: [tea]}}, then: refuse}\n"
        "overlays:\n"
        "  - {id: a, where: {tenant: a}, rules: [{id: gin, side: completion, use: {words: {words: [gin]}}, stream: hold, "
        "then: refuse}]}\n"
        "  - {id: b, where: {tenant: b}, unknown: refuse}\n",
        encoding="utf-8",
    )
    suite = Suite.model_validate(
        {
            "version": 1,
            "cases": [{"name": "x", "prompt": "tea", "tenant": "b", "expect": {"action": "refuse", "rules": "tea"}}],
        }
    )
    policy = load_policy(tmp_path / "p.yaml")
    found = lint(policy, compile_policy(policy), suite)
    assert [(one.kind, one.rule) for one in found] == [("hold", "gin"), ("untested", "gin"), ("untested", "")]
    assert all("overlay a" in one.says for one in found)
