from __future__ import annotations

from typing import Any

import pytest

from lockgate.exchange import Exchange, Subject
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.policy.schema import Policy
from lockgate.settling import WHOLLY, settled

WORDS = {"words": {"words": ["secret"]}}
STAFF = 'request.tags.exists(t, t == "staff")'


def plan_of(*rules: dict[str, Any]) -> Plan:
    filled = [{"side": "completion", "use": WORDS, **rule} for rule in rules]
    return compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": filled}))


@pytest.mark.parametrize(
    ("rules", "tags", "active", "exempt"),
    [
        ([{"id": "r", "when": STAFF}], (), set(), {}),
        ([{"id": "r", "when": STAFF}], ("staff",), {"r"}, {}),
        # What depends on what is found can't be settled beforehand.
        ([{"id": "r", "when": "words.count > 1", "stream": "hold"}], (), {"r"}, {}),
        ([{"id": "r"}, {"id": "p", "use": {}, "when": STAFF, "permit": ["r"]}], ("staff",), {"r", "p"},
         {"r": frozenset({WHOLLY})}),
        ([{"id": "r"}, {"id": "p", "use": {}, "when": STAFF, "permit": ["r"]}], (), {"r"}, {}),
        ([{"id": "r", "final": True}, {"id": "p", "use": {}, "when": STAFF, "permit": ["r"]}], ("staff",), {"r", "p"}, {}),
        ([{"id": "r"}, {"id": "p", "use": {}, "when": STAFF, "permit": ["WORDS"]}], ("staff",), {"r", "p"},
         {"r": frozenset({"WORDS"})}),
    ],
)  # fmt: skip
def test_what_the_request_settles(
    rules: list[dict[str, Any]], tags: tuple[str, ...], active: set[str], exempt: dict[str, frozenset[str]]
) -> None:
    plan = plan_of(*({"then": "refuse", **rule} if "permit" not in rule else rule for rule in rules))
    found = settled(plan.completion, Exchange("id", "chat", Subject(tags=tags)))
    assert found.active == active
    assert found.exempt == exempt
    assert not found.failed
