"""What the request alone decides of its answer, before a stream begins."""

from __future__ import annotations

from lockgate.decide import outranks, standing
from lockgate.exchange import Exchange
from lockgate.gate import WHOLLY, Settled
from lockgate.policy.conditions import ConditionFailure
from lockgate.policy.plan import PlannedRule, SidePlan, request_facts


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
