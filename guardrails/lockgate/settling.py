"""What the request alone decides of its answer, before a stream begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lockgate.decide import outranks, standing
from lockgate.exchange import Exchange
from lockgate.policy.conditions import ConditionFailure
from lockgate.policy.plan import PlannedRule, SidePlan, request_facts

WHOLLY = "*"
"""Among the labels that a rule is exempt from: a permit has relieved it of all."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What the request alone decides: the rules that take part (`active`), the labels from which a permit has relieved
    a rule (`exempt`), the rules whose condition has no value (`failed`), which matters where they find something, and
    whether nothing may leave at all: a rule refuses by the request alone (`refusing`), or fails and closes (`closing`).
    """

    active: frozenset[str]
    exempt: Mapping[str, frozenset[str]]
    failed: frozenset[str]
    refusing: PlannedRule | None = None
    closing: bool = False


def settled(side: SidePlan, exchange: Exchange) -> Settled:
    """What the request alone decides, before a stream begins."""
    facts = request_facts(exchange, side.side)
    active: dict[str, PlannedRule] = {}
    failed: set[str] = set()
    for rule in side.rules:
        if rule.condition is not None and not rule.condition.uses_detectors:
            value = rule.condition.evaluate({}, facts)
            if isinstance(value, ConditionFailure):
                failed.add(rule.id)
            elif not value:
                continue
        active[rule.id] = rule
    permits = standing((r for r in active.values() if not r.uses and r.id not in failed), lambda _: ())
    exempt: dict[str, frozenset[str]] = {}
    for permit in permits:
        for rule in list(active.values()):
            if rule is permit or not outranks(permit, rule):
                continue
            labels = frozenset({WHOLLY}) if rule.id in permit.permit else permit.permit
            exempt[rule.id] = exempt.get(rule.id, frozenset()) | labels
    refusing: PlannedRule | None = None
    closing = False
    for rule in active.values():
        if rule.uses or not rule.acts or rule.stream == "after" or WHOLLY in exempt.get(rule.id, ()):
            continue
        if rule.id in failed:
            closing = closing or rule.on_error == "refuse"
        elif refusing is None or rule.priority > refusing.priority:
            refusing = rule
    return Settled(frozenset(active), exempt, frozenset(failed), refusing, closing)
