"""What a reviewer should know of a policy that loads: rules that do nothing, cost much, or are not measured or tested.

A *warning* is a likely mistake, a *note* says what something costs or leaves open. Only what can be proved from the files is
said: whether a condition can be true is told of constants and single comparisons, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lockgate.exchange import Exchange
from lockgate.policy.conditions import ConditionFailure
from lockgate.policy.conflicts import conflicts
from lockgate.policy.merge import overlaid
from lockgate.policy.plan import Plan, PlannedRule
from lockgate.policy.schema import Policy
from lockgate.policy.scope import Scope
from lockgate.policy.suite import Suite, subject_of
from lockgate.verdict import Action

Kind = Literal[
    "always", "never", "shadowed", "untested", "unused", "uncalibrated", "language", "hold", "after", "shadow", "judge",
    "conflict",
]  # fmt: skip

WARNINGS: frozenset[Kind] = frozenset({"always", "never", "shadowed", "untested", "unused"})
_SHORT = 5.0
"""Seconds in which few models answer."""


@dataclass(frozen=True, slots=True)
class Remark:
    """`where` is ``file:line``; `rule` the id of the rule that it is about, or ""."""

    kind: Kind
    says: str
    rule: str = ""
    where: str = ""

    @property
    def level(self) -> Literal["warning", "note"]:
        return "warning" if self.kind in WARNINGS else "note"

    def public(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {"kind": self.kind, "level": self.level, "rule": self.rule, "at": self.where, "says": self.says}


def lint(policy: Policy, plan: Plan, suite: Suite | None) -> list[Remark]:
    """All remarks on a policy, which `plan` is made of, and its tests, if there are any. Of rules that it inherits, tests are
    not asked for here: they have their own."""
    rules = list({rule.id: rule for side in (plan.prompt, plan.completion) for rule in side.rules}.values())
    found: list[Remark] = []
    for rule in rules:
        found.extend(_of_rule(rule, rules))
    found.extend(_untested(policy, rules, suite))
    found.extend(_unused(policy, plan))
    if plan.judged:
        short = ": few models answer in that time" if plan.deadline < _SHORT else ""
        found.append(Remark("judge", f"asks a judge, who has {plan.deadline:g} s (deadline_ms){short}"))
    found.extend(Remark("conflict", str(one), one.permit) for one in conflicts(plan))
    for name, scope in plan.overlays.scopes if plan.overlays is not None else ():
        found.extend(_of_overlay(policy, plan, name, scope, suite, found))
    return found


def _of_overlay(
    policy: Policy, plan: Plan, name: str, scope: Scope, suite: Suite | None, found: Sequence[Remark]
) -> Iterator[Remark]:
    """What an overlay brings to be remarked on."""
    assert plan.overlays is not None
    known = {(one.kind, one.rule, one.where) for one in found}
    for one in lint(overlaid(policy, (name,)), plan.overlays.plan_for_ids((name,)), suite):
        if (one.kind, one.rule, one.where) not in known:
            yield replace(one, says=f"{one.says} (overlay {name})")
    covered = suite is not None and any(scope.holds(Exchange("", case.route, subject_of(case))) for case in suite.cases)
    if not covered:
        where = next((policy.at("overlays", i) for i, one in enumerate(policy.overlays) if one.id == name), "")
        yield Remark("untested", f"no case of its tests is covered by the overlay {name}", where=where)


def _of_rule(rule: PlannedRule, rules: Sequence[PlannedRule]) -> Iterator[Remark]:
    def remark(kind: Kind, says: str) -> Remark:
        return Remark(kind, says, rule.id, rule.where)

    value = _constant(rule)
    if value is not None:
        word = "true" if value else "false"
        yield remark("always" if value else "never", f"its `when` is always {word}")
    over = next((one for one in rules if _covers(one, rule, rules)), None)
    if over is not None:
        yield remark("shadowed", f"it has no effect: {over.id} refuses whatever it finds")
    if "completion" in rule.sides and rule.stream in ("hold", "after"):
        yield remark(rule.stream, f"a streamed answer is {_STREAMED[rule.stream]}")
    for use in rule.uses:
        if not getattr(use.detector, "calibrated", True):
            yield remark("uncalibrated", f"`{use.kind}` {_UNCALIBRATED.get(use.kind, _OWN_THRESHOLD)}")
    known = frozenset().union(*(use.detector.languages for use in rule.uses))
    if known and rule.acts and rule.on_unverified == "allow":
        yield remark("language", f"texts in other languages than {', '.join(sorted(known))} pass it unverified")
    if rule.would is not None:
        yield remark("shadow", f"in shadow: it would {rule.would.word if rule.would else 'only record'}")


_STREAMED = {"hold": "held back whole until its verdict", "after": "judged after it has left"}
_UNCALIBRATED = {"confidence": "has no calibration: it is the model's own, and no share of right answers"}
_OWN_THRESHOLD = "has a threshold of the policy's own (`above`), whose rate of false alarms nobody has told"

_SCORES, _COUNTS = (0.0, 1.0), (0, 10**9)


def _constant(rule: PlannedRule) -> bool | None:
    """The value that a rule's condition always has; None if it can have either, or nobody knows."""
    condition = rule.condition
    if condition is None:
        return None
    single = condition.comparison
    if single is not None:
        # A comparison with a number changes at that number alone, so both ends and the number's surroundings tell all.
        ends: tuple[float, ...] = _COUNTS if single.name == "count" else _SCORES
        step = 1 if single.name == "count" else 1e-9
        tried = {
            *ends,
            *(x for x in (single.number - step, single.number, single.number + step) if ends[0] <= x <= ends[1]),
        }
        values = {single.holds(value) for value in tried}
        return values.pop() if len(values) == 1 else None
    if condition.uses_detectors or condition.reads_request:
        return None
    found = condition.evaluate({}, {})
    return None if isinstance(found, ConditionFailure) else found


def _covers(over: PlannedRule, rule: PlannedRule, rules: Sequence[PlannedRule]) -> bool:
    """Whether `over` refuses each exchange in which `rule` applies, so that `rule` never does anything itself."""
    if over is rule or over.action is not Action.REFUSE or over.condition is not None or over.scope is not None:
        return False
    if rule.action is Action.REFUSE:
        first = max((rule, over), key=lambda one: (one.priority, -rules.index(one)))
        if first is rule:
            return False  # its message is the one that is read
    if not rule.uses or rule.permit or rule.would is not None or (rule.action is Action.ALLOW and not rule.flags):
        return False
    seen = {id(use.detector) for use in over.uses}
    return (
        rule.sides <= over.sides
        and rule.roles <= over.roles
        and rule.kinds <= over.kinds
        and all(id(use.detector) in seen for use in rule.uses)
        and (over.stream == rule.stream or "completion" not in rule.sides)
    )


def _untested(policy: Policy, rules: Sequence[PlannedRule], suite: Suite | None) -> Iterator[Remark]:
    own = [rule for rule in rules if rule.layer == 0]
    if suite is None:
        if own:
            yield Remark("untested", "there are no tests beside it: no rule of its own is tested", where=policy.source)
        return
    named = {
        name
        for case in suite.cases
        for name in (*(case.expect.rules or ()), *(case.expect.shadow or ()), *(case.expect.failed or ()))
    }
    # A case that pins down no rules may reach any: only where all say theirs is one that none names untested.
    loose = {case.expect.action for case in suite.cases if case.expect.rules is None}
    for rule in own:
        reached = loose if rule.permit else loose - {"allow"}
        if not reached and rule.id not in named and not named & set(rule.detectors):
            yield Remark("untested", "no case of its tests expects it", rule.id, rule.where)


def _unused(policy: Policy, plan: Plan) -> Iterator[Remark]:
    if plan.judged:
        return  # a judge reads them all, unless told otherwise
    named = {rule.principle for rule in policy.rules}
    for i, principle in enumerate(policy.principles):
        if principle.id not in named and policy.layer("principles", i) == 0:
            yield Remark("unused", f"no rule names the principle {principle.id}", where=policy.at("principles", i))
