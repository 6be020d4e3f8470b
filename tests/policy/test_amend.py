"""Thresholds written into policies: what is written how, and that all else stays."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from lockgate.errors import PolicyError
from lockgate.policy.amend import Above, with_above
from lockgate.policy.document import parse_document

HEAD = "version: 1\nname: x # mine\nrules:\n  - id: other\n    use: {classifier: {heads: [harm]}}\n  - id: r # why\n"

TABLE: list[tuple[str, Above, str]] = [
    ("use: {classifier: injection}", 0.9, "use: {classifier: {heads: [injection], above: 0.9}}"),
    ("use: {classifier: [injection, harm] }", {"harm": 0.9}, "use: {classifier: {heads: [injection, harm], above: {harm: 0.9}} }"),
    (
        "use: {classifier: {heads: [harm], sensitivity: low}} # so",
        {"harm": 0.97},
        "use: {classifier: {above: {harm: 0.97}, heads: [harm], sensitivity: low}} # so",
    ),
    ("use: {classifier: {heads: [harm], above: 0.5}}", 0.25, "use: {classifier: {heads: [harm], above: 0.25}}"),
    (
        "use:\n      classifier:\n        # which\n        heads: [harm] # these\n    then: refuse",
        {"harm": 0.9},
        "use:\n      classifier:\n        # which\n        above: {harm: 0.9}\n        heads: [harm] # these\n    then: refuse",
    ),
    (
        "use:\n      classifier:\n        heads: [harm]\n        above: # measured\n          harm: 0.5\n        # end\n    then: refuse",
        {"harm": 0.9},
        "use:\n      classifier:\n        heads: [harm]\n        above: # measured\n          {harm: 0.9}\n        # end\n    then: refuse",
    ),
    ("use: {classifier: {heads: [harm], above: {harm: 0.5}}, pii: {}}", 0.1, "use: {classifier: {heads: [harm], above: 0.1}, pii: {}}"),
    ("use:\n      classifier: injection # a word\n    then: refuse", 0.9,
     "use:\n      classifier: {heads: [injection], above: 0.9} # a word\n    then: refuse"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "above", "after"), TABLE)
def test_what_is_written(before: str, above: Above, after: str) -> None:
    text = f"{HEAD}    {before}\n"
    found = with_above(text, "r", "classifier", above)
    assert found == f"{HEAD}    {after}\n"
    use = parse_document(found.encode(), "x").plain()["rules"][1]["use"]["classifier"]
    assert use["above"] == above


def test_a_detector_without_configuration() -> None:
    for written in ("use: groundedness", "use: [groundedness]", "use: {groundedness: {}}", "use: {groundedness: }"):
        found = with_above(f"{HEAD}    {written}\n", "r", "groundedness", 0.8)
        rule = parse_document(found.encode(), "x").plain()["rules"][1]
        assert rule["use"] == {"groundedness": {"above": 0.8}}
        assert found.startswith(HEAD)


@pytest.mark.parametrize("name", ["default", "strict", "honest"])
def test_of_a_shipped_policy_one_place_changes(name: str) -> None:
    text = (Path(__file__).resolve().parents[2] / "policies" / f"{name}.yaml").read_text(encoding="utf-8")
    tree = parse_document(text.encode(), "x").plain()
    changed = 0
    for rule in tree["rules"]:
        if "classifier" not in rule.get("use", {}):
            continue
        found = with_above(text, rule["id"], "classifier", 0.875)
        lines = [line for line in difflib.ndiff(text.splitlines(), found.splitlines()) if line[0] in "+-"]
        assert 1 <= len(lines) <= 2
        again = parse_document(found.encode(), "x").plain()
        (mine,) = [one for one in again["rules"] if one["id"] == rule["id"]]
        assert mine["use"]["classifier"]["above"] == 0.875
        others = [[one for one in each["rules"] if one["id"] != rule["id"]] for each in (tree, again)]
        assert others[0] == others[1]
        changed += 1
    assert changed or name == "honest"


@pytest.mark.parametrize(("rule", "kind"), [("nobody", "classifier"), ("r", "pii")])
def test_what_is_not_there(rule: str, kind: str) -> None:
    with pytest.raises(PolicyError, match="no rule"):
        with_above(f"{HEAD}    use: {{classifier: harm}}\n", rule, kind, 0.5)
