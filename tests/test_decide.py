from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockgate.decide import Results, RuleResult, blank, decide, distinct, merge
from lockgate.exchange import Exchange, Side, Subject
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.verdict import Action, Failure, Finding, Reason, Verdict

LIST = {"words": {"words": ["x"]}}
PII = {"pii": {"kinds": ["EMAIL_ADDRESS", "US_SSN"]}}


def plan_of(*rules: dict[str, Any], **top: Any) -> Plan:
    filled = [{"side": "prompt", "use": LIST, **rule} for rule in rules]
    return compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": filled, **top}))


def finding(label: str = "WORDS", span: tuple[int, int] = (0, 1), where: str = "/m", kind: str = "words") -> Finding:
    return Finding(kind, label, 1.0, where, span)


def failure(kind: str = "words", reason: Reason = "crash", where: str = "/m") -> Failure:
    return Failure(kind, reason, where, "r")


def verdict_of(
    plan: Plan, results: Results, *, tags: tuple[str, ...] = (), unknown: tuple[str, ...] = (), side: Side = "prompt"
) -> Verdict:
    exchange = Exchange("id", "chat", Subject(tags=tags))
    return decide(plan, side, plan.side(side).rules, results, exchange, unknown=unknown)


def found(*findings: Finding) -> RuleResult:
    return RuleResult(list(findings))


def broken(*failures: Failure) -> RuleResult:
    return RuleResult([], list(failures))


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {rule.rule: rule.outcome for rule in verdict.rules}


def test_nothing_found_allows() -> None:
    verdict = verdict_of(plan_of({"id": "r", "then": "refuse"}), {})
    assert (verdict.action, verdict.rules, verdict.edits, verdict.unavailable) == (Action.ALLOW, [], [], False)


def test_any_refusal_refuses_and_its_message_is_that_of_the_highest_principle() -> None:
    plan = plan_of(
        {"id": "mild", "then": {"rewrite": "mask"}},
        {"id": "low", "then": {"refuse": {"message": "low"}}},
        {"id": "high", "principle": "p", "then": {"refuse": {"message": "high", "status": 200}}},
        principles=[{"id": "p", "priority": 5, "text": "…"}],
    )
    results = {"mild": found(finding()), "low": found(finding()), "high": found(finding(where="/n"))}
    verdict = verdict_of(plan, results)
    assert (verdict.action, verdict.message, verdict.status, verdict.where) == (Action.REFUSE, "high", 200, "/n")
    assert verdict.edits == []
    assert [(r.rule, r.principle) for r in verdict.rules] == [("mild", ""), ("low", ""), ("high", "p")]


def test_edits_and_flags_all_apply() -> None:
    plan = plan_of(
        {"id": "a", "then": {"rewrite": "mask", "flag": {"notice": "masked"}}},
        {"id": "b", "use": PII, "then": {"rewrite": "redact"}},
        {"id": "c", "use": {"size": {"max_characters": 1}}, "then": {"flag": {"note": "long"}}},
    )
    results = {
        "a": found(finding(span=(0, 4))),
        "b": found(finding("US_SSN", (2, 9), kind="pii")),
        "c": found(Finding("size", "TOO_LONG", 1.0, "/m")),
    }
    verdict = verdict_of(plan, results)
    assert verdict.action is Action.REWRITE
    assert [(e.span, e.replacement) for e in verdict.edits] == [((0, 9), "[US_SSN]")]
    assert [(f.name, f.rule) for f in verdict.flags] == [("notice", "a"), ("note", "c")]


def test_record_acts_on_nothing_and_is_reported() -> None:
    verdict = verdict_of(plan_of({"id": "r", "then": "record"}), {"r": found(finding())})
    assert (verdict.action, outcomes(verdict), len(verdict.findings)) == (Action.ALLOW, {"r": "applied"}, 1)


PERMITTED = {"id": "no", "principle": "p", "then": "refuse"}


@pytest.mark.parametrize(
    ("permit", "target", "expected"),
    [
        ({"principle": "high", "permit": ["no"]}, {}, "permitted"),
        ({"principle": "low", "permit": ["no"]}, {}, "applied"),
        ({"principle": "p", "permit": ["no"]}, {}, "permitted"),  # equal, and in the same file
        ({"principle": "high", "permit": ["no"]}, {"final": True}, "applied"),
        ({"principle": "high", "permit": ["WORDS"]}, {}, "permitted"),
        ({"principle": "low", "permit": ["WORDS"]}, {}, "applied"),
    ],
)
def test_permits(permit: dict[str, Any], target: dict[str, Any], expected: str) -> None:
    plan = plan_of(
        {**PERMITTED, **target},
        {"id": "yes", "use": {}, "when": 'request.tags.exists(t, t == "staff")', **permit},
        principles=[{"id": i, "priority": n, "text": "…"} for i, n in (("low", 1), ("p", 5), ("high", 9))],
    )
    verdict = verdict_of(plan, {"no": found(finding())}, tags=("staff",))
    assert outcomes(verdict)["no"] == expected
    assert (verdict.action is Action.REFUSE) == (expected == "applied")
    if expected == "permitted":
        outcome = next(rule for rule in verdict.rules if rule.rule == "no")
        assert (outcome.by, outcome.principle) == ("yes", permit["principle"])
    else:
        lost = next(rule for rule in verdict.rules if rule.outcome == "overruled")
        assert (lost.rule, lost.by, lost.principle) == ("yes", "no", "p")
    # Whoever is not of the staff is refused.
    assert verdict_of(plan, {"no": found(finding())}).action is Action.REFUSE


def test_a_permit_by_label_leaves_the_other_labels() -> None:
    plan = plan_of(
        {"id": "mask", "use": PII, "then": {"rewrite": "redact"}},
        {"id": "yes", "use": {}, "when": "true", "permit": ["EMAIL_ADDRESS"]},
    )
    results = {"mask": found(finding("EMAIL_ADDRESS", (0, 3), kind="pii"), finding("US_SSN", (5, 9), kind="pii"))}
    assert [edit.replacement for edit in verdict_of(plan, results).edits] == ["[US_SSN]"]


def test_a_permit_covers_a_rule_whose_guard_failed() -> None:
    plan = plan_of({"id": "no", "then": "refuse"}, {"id": "yes", "use": {}, "when": "true", "permit": ["no"]})
    verdict = verdict_of(plan, {"no": broken(failure())})
    assert (verdict.unavailable, outcomes(verdict)["no"]) == (False, "permitted")


@pytest.mark.parametrize(
    ("on_error", "action", "unavailable", "failed_open"),
    [("refuse", Action.ALLOW, True, 0), ("flag", Action.FLAG, False, 0), ("allow", Action.ALLOW, False, 1)],
)
def test_on_error(on_error: str, action: Action, unavailable: bool, failed_open: int) -> None:
    verdict = verdict_of(plan_of({"id": "r", "then": "refuse", "on_error": on_error}), {"r": broken(failure())})
    assert (verdict.action, verdict.unavailable, verdict.failed_open) == (action, unavailable, failed_open)
    assert outcomes(verdict) == {"r": "failed"}
    assert verdict.deciding == "r"


def test_a_refusal_stands_although_another_guard_failed() -> None:
    plan = plan_of({"id": "a", "then": "refuse"}, {"id": "b", "use": PII, "then": {"rewrite": "mask"}})
    verdict = verdict_of(plan, {"a": found(finding()), "b": broken(failure("pii"))})
    assert (verdict.action, verdict.unavailable) == (Action.REFUSE, False)


@pytest.mark.parametrize("reason", ["too_wide", "uneditable"])
def test_a_rewrite_that_does_not_cover_its_finding_is_a_failure(reason: Reason) -> None:
    plan = plan_of({"id": "r", "then": {"rewrite": "mask"}})
    verdict = verdict_of(plan, {"r": RuleResult([finding()], [failure(reason=reason)])})
    assert verdict.unavailable
    # A refusal needs no edit.
    plan = plan_of({"id": "r", "then": "refuse"})
    verdict = verdict_of(plan, {"r": RuleResult([finding()], [failure(reason=reason)])})
    assert (verdict.action, verdict.unavailable) == (Action.REFUSE, False)


@pytest.mark.parametrize(
    ("when", "result", "expected"),
    [
        ("words.count > 1", found(finding()), "none"),
        ("words.count > 1", found(finding(), finding(span=(4, 5))), "applied"),
        ("words.score >= 1.0", found(finding()), "applied"),
        ('words.labels["WORDS"] > 0.5', found(finding()), "applied"),
        ("words.count == 0", RuleResult(), "none"),  # a rule applies where its `use:` found something
        ("words.count > 0", broken(failure()), "failed"),
        ("words.count > 0 || true", broken(failure()), "applied"),
        ("words.count > 0 && false", broken(failure()), "none"),
        ("request.tags[0] == 'a'", found(finding()), "failed"),
    ],
)
def test_conditions(when: str, result: RuleResult, expected: str) -> None:
    plan = plan_of({"id": "r", "when": when, "then": "refuse"})
    assert outcomes(verdict_of(plan, {"r": result})).get("r", "none") == expected


@pytest.mark.parametrize(
    ("unknown", "action"), [("allow", Action.ALLOW), ("flag", Action.FLAG), ("refuse", Action.REFUSE)]
)
def test_unknown_parts(unknown: str, action: Action) -> None:
    plan = plan_of({"id": "r", "then": "refuse"}, unknown=unknown)
    verdict = verdict_of(plan, {}, unknown=("/x",))
    assert verdict.action is action
    assert verdict.where == ("/x" if unknown == "refuse" else "")
    assert verdict_of(plan, {}).action is Action.ALLOW


def test_choices_are_merged() -> None:
    plan = plan_of(
        {"id": "r", "side": "completion", "then": {"refuse": {"message": "no"}}},
        {"id": "f", "side": "completion", "use": PII, "then": {"flag": {"n": "t"}}},
    )
    exchange = Exchange("id", "chat")
    rules = plan.completion.rules
    first = decide(plan, "completion", rules, {"r": found(finding())}, exchange, choice=0)
    second = decide(plan, "completion", rules, {"f": found(finding(kind="pii"))}, exchange, choice=1)
    both = merge([first, second], blank(plan, "completion"))
    assert (both.action, both.refused_choices, both.message) == (Action.REFUSE, {0: "no"}, "no")
    assert [(flag.name, flag.choice) for flag in both.flags] == [("n", 1)]
    assert both.applied == ["r", "f"]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(3, 9, 0.5), (3, 9, 0.9)], [(3, 9, 0.9)]),
        ([(3, 9, 0.9), (0, 5, 0.5), (8, 12, 0.4)], [(0, 12, 0.9)]),
        ([(3, 9, 0.9), (9, 12, 0.5)], [(3, 9, 0.9), (9, 12, 0.5)]),
        ([(9, 12, 0.5), (3, 9, 0.9)], [(9, 12, 0.5), (3, 9, 0.9)]),
        ([(None, None, 0.5), (3, 9, 0.9), (4, 5, 0.1)], [(None, None, 0.5), (3, 9, 0.9)]),
    ],
)
def test_what_two_rows_see_in_one_place_is_one_finding(
    spans: list[tuple[int | None, int | None, float]], expected: list[tuple[int | None, int | None, float]]
) -> None:
    def findings(table: list[tuple[int | None, int | None, float]]) -> list[Finding]:
        return [
            Finding("pii", "TAX", score, "/m", None if a is None or b is None else (a, b), "r") for a, b, score in table
        ]

    assert distinct(findings(spans)) == findings(expected)


def test_other_labels_detectors_places_and_choices_stay_apart() -> None:
    base = Finding("pii", "TAX", 0.5, "/m", (1, 5), "r", 0)
    others = [base, replace(base, label="SSN"), replace(base, detector="words"), replace(base, where="/n")]
    others.append(replace(base, choice=1))
    assert distinct(others) == others


def test_a_count_is_of_things_not_of_rows() -> None:
    plan = compile_policy(
        Policy.model_validate(
            {
                "version": 1,
                "name": "p",
                "rules": [{"id": "r", "side": "prompt", "use": {"pii": {}}, "when": "pii.count > 1", "then": "refuse"}],
            }
        )
    )
    twice = [Finding("pii", "TAX", score, "/m", (1, 5), "r") for score in (0.5, 0.9)]
    results = {"r": RuleResult(twice)}
    verdict = decide(plan, "prompt", plan.prompt.rules, results, Exchange("x", "chat", Subject()))
    assert (verdict.action, [finding.score for finding in verdict.findings]) == (Action.ALLOW, [0.9])
