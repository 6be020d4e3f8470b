from __future__ import annotations

import json

import pytest

from lockgate.coverage import LISTED, Coverage
from lockgate.verdict import (
    Action,
    Edit,
    Failure,
    Finding,
    Flag,
    RuleOutcome,
    Verdict,
    strongest,
)


def test_actions_are_ordered_from_mild_to_strong() -> None:
    assert [action.word for action in sorted(Action)] == ["allow", "flag", "rewrite", "refuse"]
    assert strongest([Action.FLAG, Action.REFUSE, Action.REWRITE]) is Action.REFUSE
    assert strongest([]) is Action.ALLOW


def test_a_verdict_begins_as_nothing() -> None:
    verdict = Verdict("prompt", "p", "sha256:0")
    assert (verdict.action, verdict.applied, verdict.deciding, verdict.unavailable) == (Action.ALLOW, [], "", False)


@pytest.mark.parametrize(
    ("outcomes", "applied", "deciding"),
    [
        ([("a", Action.FLAG, "applied"), ("b", Action.REFUSE, "applied")], ["b", "a"], "b"),
        ([("a", Action.REWRITE, "applied"), ("b", Action.REWRITE, "applied")], ["a", "b"], "a"),
        ([("a", Action.REWRITE, "applied"), ("a", Action.REWRITE, "applied")], ["a"], "a"),
        ([("a", Action.REFUSE, "permitted"), ("b", Action.ALLOW, "applied")], ["b"], "b"),
        ([("a", Action.REFUSE, "permitted"), ("b", Action.REFUSE, "failed")], [], "b"),
        ([("b", Action.REFUSE, "failed"), ("a", Action.FLAG, "applied")], ["a"], "a"),
        ([("a", Action.REFUSE, "permitted")], [], ""),
    ],
    ids=[
        "strongest first",
        "then as in the policy",
        "each once",
        "not the permitted",
        "failed",
        "applied first",
        "none",
    ],
)
def test_rules_that_applied_and_the_one_that_decided(
    outcomes: list[tuple[str, Action, str]], applied: list[str], deciding: str
) -> None:
    rules = [RuleOutcome(rule, action, outcome) for rule, action, outcome in outcomes]  # type: ignore[arg-type]
    verdict = Verdict("prompt", "p", "sha256:0", rules=rules)
    assert verdict.applied == applied
    assert verdict.deciding == deciding


def test_what_is_shown_of_a_verdict() -> None:
    verdict = Verdict(
        "completion",
        "p",
        "sha256:0",
        action=Action.REWRITE,
        rules=[
            RuleOutcome("pii", Action.REWRITE, "applied", principle="privacy", choice=1),
            RuleOutcome("keys", Action.REFUSE, "permitted", by="trusted"),
        ],
        findings=[
            Finding("pii", "US_SSN", 0.9, "/choices/1/message/content", (3, 14), "pii", 1),
            Finding("size", "TOO_LONG", 1.0, "/choices/0/message/content"),
        ],
        edits=[Edit("/choices/1/message/content", (3, 14), "[US_SSN]", "pii", 7)],
        flags=[Flag("notice", "Something was taken out.", "pii", 1), Flag("unverified", "A part.", "unknown")],
        failures=[Failure("judge", "timeout", "/x", "judged", None, "flag")],
        coverage=Coverage({"/a": ("pii",), "/b": ("pii",), "/c": ("pii", "size")}, {"/d": "unread: unknown"}),
        failed_open=2,
        message="for the user only",
    )
    shown = verdict.public()
    assert json.loads(json.dumps(shown)) == shown
    assert shown == {
        "side": "completion",
        "action": "rewrite",
        "policy": "p",
        "policy_hash": "sha256:0",
        "rules": [
            {"rule": "pii", "action": "rewrite", "outcome": "applied", "principle": "privacy", "choice": 1},
            {"rule": "keys", "action": "refuse", "outcome": "permitted", "by": "trusted"},
        ],
        "findings": [
            {
                "detector": "pii",
                "label": "US_SSN",
                "score": 0.9,
                "where": "/choices/1/message/content",
                "span": [3, 14],
                "rule": "pii",
                "choice": 1,
            },
            {
                "detector": "size",
                "label": "TOO_LONG",
                "score": 1.0,
                "where": "/choices/0/message/content",
                "span": None,
                "rule": "",
            },
        ],
        "edits": [{"where": "/choices/1/message/content", "span": [3, 14], "rule": "pii"}],
        "flags": [
            {"name": "notice", "text": "Something was taken out.", "rule": "pii", "choice": 1},
            {"name": "unverified", "text": "A part.", "rule": "unknown"},
        ],
        "failures": [{"detector": "judge", "reason": "timeout", "where": "/x", "rule": "judged", "on_error": "flag"}],
        "failed_open": 2,
        "unverified": 0,
        "models": [],
        "coverage": {"scanned": {"pii": ["/a", "/b"], "pii,size": ["/c"]}, "skipped": {"/d": "unread: unknown"}},
    }


def test_a_choice_of_zero_is_shown() -> None:
    verdict = Verdict(
        "completion",
        "p",
        "sha256:0",
        rules=[RuleOutcome("r", Action.ALLOW, "applied", choice=0)],
        findings=[Finding("words", "W", 1.0, "", (0, 1), choice=0)],
        flags=[Flag("notice", "A word.", "r", 0)],
    )
    shown = verdict.public()
    assert [shown[part][0]["choice"] for part in ("rules", "findings", "flags")] == [0, 0, 0]


def test_an_empty_span_is_a_place() -> None:
    verdict = Verdict("prompt", "p", "sha256:0", findings=[Finding("own", "HERE", 1.0, "", (0, 0))])
    assert verdict.public()["findings"][0]["span"] == [0, 0]


def test_a_long_list_is_counted_past_its_limit() -> None:
    places = range(LISTED + 3)
    verdict = Verdict(
        "prompt",
        "p",
        "sha256:0",
        findings=[Finding("pii", "IBAN_CODE", 1.0, f"/{i}", (0, 1), "r") for i in places],
        edits=[Edit(f"/{i}", (0, 1), "", "r") for i in places],
        failures=[Failure("judge", "timeout", f"/{i}", "j") for i in places[:-1]],
    )
    shown = verdict.public()
    assert [len(shown[name]) for name in ("findings", "edits", "failures")] == [LISTED] * 3
    assert shown["more"] == {"findings": {"r: IBAN_CODE": 3}, "edits": {"r": 3}, "failures": {"j: timeout": 2}}
