"""Rules that meet: permits of permits, failures beside findings, a part that no lens knows beside a failure."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.decide import RuleResult, decide
from lockgate.exchange import Exchange, Subject
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Failure, Finding, Reason, Verdict

LIST = {"words": {"words": ["x"]}}
BOTH = {**LIST, "size": {"max_characters": 9}}


def plan_of(*rules: dict[str, Any], **top: Any) -> Plan:
    filled = [{"side": "prompt", "use": LIST, **rule} for rule in rules]
    return compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": filled, **top}))


def ranked(*priorities: int) -> list[dict[str, Any]]:
    return [{"id": f"p{priority}", "priority": priority, "text": "x"} for priority in priorities]


def verdict_of(plan: Plan, *, unknown: tuple[str, ...] = (), **results: RuleResult) -> Verdict:
    return decide(plan, "prompt", plan.prompt.rules, results, Exchange("id", "chat", Subject()), unknown=unknown)


def found(label: str = "WORDS", *failures: Failure) -> RuleResult:
    return RuleResult([Finding("words", label, 1.0, "/m", (0, 1))], list(failures))


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {rule.rule: rule.outcome + (f" by {rule.by}" if rule.by else "") for rule in verdict.rules}


class TestPermitsOfPermits:
    def test_two_that_remove_each_other_do_not_both_go(self) -> None:
        plan = plan_of(
            {"id": "a", "then": "refuse", "permit": ["b"]}, {"id": "b", "then": {"rewrite": "mask"}, "permit": ["a"]}
        )
        verdict = verdict_of(plan, a=found(), b=found())
        assert outcomes(verdict) == {"a": "applied", "b": "permitted by a"}
        assert verdict.action is Action.REFUSE

    def test_the_stronger_of_the_two_stands(self) -> None:
        plan = plan_of(
            {"id": "a", "then": "refuse", "permit": ["b"]},
            {"id": "b", "then": {"rewrite": "mask"}, "permit": ["a"], "principle": "p5"},
            principles=ranked(5),
        )
        assert outcomes(verdict_of(plan, a=found(), b=found())) == {"a": "permitted by b", "b": "applied"}

    def test_a_permit_that_is_removed_removes_nothing(self) -> None:
        plan = plan_of(
            {"id": "no", "then": "refuse"},
            {"id": "staff", "permit": ["no"], "principle": "p5"},
            {"id": "but", "permit": ["staff"], "principle": "p9"},
            principles=ranked(5, 9),
        )
        verdict = verdict_of(plan, no=found(), staff=found(), but=found())
        assert outcomes(verdict) == {"no": "applied", "staff": "permitted by but", "but": "applied"}
        assert verdict.action is Action.REFUSE
        assert verdict_of(plan, no=found(), staff=found()).action is Action.ALLOW

    def test_nor_does_one_that_loses_all_of_its_findings(self) -> None:
        plan = plan_of(
            {"id": "no", "then": "refuse"},
            {"id": "staff", "permit": ["no"]},
            {"id": "but", "permit": ["WORDS"], "principle": "p9", "use": {"words": {"words": ["y"], "label": "OTHER"}}},
            principles=ranked(9),
        )
        verdict = verdict_of(plan, no=found("KEPT"), staff=found(), but=found("OTHER"))
        assert outcomes(verdict) == {"no": "applied", "staff": "permitted by but", "but": "applied"}

    def test_a_final_permit_stands(self) -> None:
        plan = plan_of(
            {"id": "no", "then": "refuse"},
            {"id": "staff", "permit": ["no"], "final": True},
            {"id": "but", "permit": ["staff"]},
        )
        assert verdict_of(plan, no=found(), staff=found(), but=found()).action is Action.ALLOW

    def test_a_circle_of_three_leaves_somebody(self) -> None:
        plan = plan_of(*({"id": a, "then": "refuse", "permit": [b]} for a, b in ("ab", "bc", "ca")))
        assert verdict_of(plan, a=found(), b=found(), c=found()).action is Action.REFUSE


class TestFailuresBesideFindings:
    @pytest.mark.parametrize("reason", ["crash", "timeout", "overload", "too_wide", "uneditable"])
    @pytest.mark.parametrize(
        ("on_error", "unavailable", "failed_open"), [("refuse", True, 0), ("flag", False, 0), ("allow", False, 1)]
    )
    def test_a_rewrite_has_not_covered_what_a_failure_hid(
        self, on_error: str, unavailable: bool, failed_open: int, reason: Reason
    ) -> None:
        plan = plan_of({"id": "r", "use": LIST, "then": {"rewrite": "mask"}, "on_error": on_error})
        verdict = verdict_of(plan, r=found("WORDS", Failure("words", reason, "/other", "r")))
        assert (verdict.unavailable, verdict.failed_open) == (unavailable, failed_open)
        assert outcomes(verdict) == {"r": "applied"}
        assert [edit.span for edit in verdict.edits] == [(0, 1)]
        assert [flag.name for flag in verdict.flags] == (["unverified"] if on_error == "flag" else [])

    @pytest.mark.parametrize("then", ["refuse", {"flag": {"note": "x"}}, "record"])
    def test_what_needs_one_finding_only_is_not_undone(self, then: Any) -> None:
        plan = plan_of({"id": "r", "use": BOTH, "then": then})
        verdict = verdict_of(plan, r=found("WORDS", Failure("size", "crash", "/m", "r")))
        assert (verdict.unavailable, outcomes(verdict)) == (False, {"r": "applied"})

    def test_a_condition_on_the_request_leaves_a_failure_a_failure(self) -> None:
        plan = plan_of({"id": "r", "when": 'request.side == "prompt"', "then": "refuse"})
        verdict = verdict_of(plan, r=RuleResult([], [Failure("words", "crash", "/m", "r")]))
        assert (verdict.unavailable, outcomes(verdict)) == (True, {"r": "failed"})
        plan = plan_of({"id": "r", "when": 'request.side == "prompt"', "then": {"rewrite": "mask"}})
        assert verdict_of(plan, r=found("WORDS", Failure("words", "crash", "/n", "r"))).unavailable

    def test_a_condition_that_holds_all_the_same_holds(self) -> None:
        plan = plan_of({"id": "r", "use": BOTH, "when": "words.count > 0 || size.count > 0", "then": "refuse"})
        verdict = verdict_of(plan, r=found("WORDS", Failure("size", "crash", "/m", "r")))
        assert (verdict.unavailable, verdict.action) == (False, Action.REFUSE)


class TestUnknownParts:
    @pytest.mark.parametrize("unknown", ["refuse", "flag", "allow"])
    def test_a_refusal_of_an_unknown_part_stands_beside_a_failure(self, unknown: str) -> None:
        """Whoever asks first whether it is refused, and whoever asks first whether it failed, get one answer."""
        plan = plan_of({"id": "r", "then": "refuse"}, unknown=unknown)
        verdict = verdict_of(plan, r=RuleResult([], [Failure("words", "crash", "/m", "r")]), unknown=("/messages/0/x",))
        assert (verdict.action is Action.REFUSE, verdict.unavailable) == (unknown == "refuse", unknown != "refuse")
