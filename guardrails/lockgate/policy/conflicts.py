"""Which rules of a plan can collide, and who wins: known before any exchange, for a reviewer to read.

Two rules collide where one permits what the other acts on, on the same side. The principle of the higher
priority wins, of equal ones the nearer file; a rule that is `final` gives way to none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lockgate.policy.plan import Plan, PlannedRule

Why = Literal["priority", "nearer file", "final"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """`winner` and `loser` are ids of rules; `labels` what the permit is about, empty where it is the rule itself."""

    winner: str
    loser: str
    permit: str
    why: Why
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        about = f" ({', '.join(self.labels)})" if self.labels else ""
        verb = "permits what" if self.winner == self.permit else "stands against the permit of"
        end = f" acts on{about}" if self.winner == self.permit else about
        return f"{self.winner} {verb} {self.loser}{end}: {_WORDS[self.why]}"


_WORDS = {
    "priority": "its principle has the higher priority",
    "nearer file": "of equal priority, it is in the nearer file",
    "final": "it is final",
}


def conflicts(plan: Plan) -> list[Conflict]:
    """All pairs, each once, in the order of the rules."""
    rules = list({rule.id: rule for side in (plan.prompt, plan.completion) for rule in side.rules}.values())
    return [found for permit in rules if permit.permit for found in _of(permit, rules)]


def _of(permit: PlannedRule, rules: list[PlannedRule]) -> Iterator[Conflict]:
    for rule in rules:
        if rule is permit or not permit.sides & rule.sides:
            continue
        whole = rule.id in permit.permit
        labels = {label for use in rule.uses for label in use.detector.labels} & permit.permit
        if not whole and not labels:
            continue
        wins, why = _outcome(permit, rule)
        winner, loser = (permit, rule) if wins else (rule, permit)
        yield Conflict(winner.id, loser.id, permit.id, why, () if whole else tuple(sorted(labels)))


def _outcome(permit: PlannedRule, rule: PlannedRule) -> tuple[bool, Why]:
    if rule.final:
        return False, "final"
    if permit.priority != rule.priority:
        return permit.priority > rule.priority, "priority"
    return permit.layer <= rule.layer, "nearer file"
