"""What a policy does with each kind of finding, as the table that the README shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lockgate.detectors.protocol import PatternDetector
from lockgate.exchange import KINDS, ROLES, Side
from lockgate.policy.plan import Plan, PlannedRule, Use
from lockgate.policy.schema import Policy
from lockgate.verdict import Action

MANY = 8
"""The largest group, of more labels than this, is called by what it leaves out."""

REWRITTEN = {"redact": "redacted", "mask": "masked", "remove": "removed", "replace": "replaced"}


def labels(use: Use) -> set[str]:
    """The labels that a detector, as it is configured, can give."""
    detector = use.detector
    return {spec.label for spec in detector.specs} if isinstance(detector, PatternDetector) else set(detector.labels)


def rules_about(plan: Plan, side: Side, kind: str, label: str) -> list[PlannedRule]:
    return [
        rule for rule in plan.side(side).rules if any(use.kind == kind and label in labels(use) for use in rule.uses)
    ]


def cell(policy: Policy, rules: Sequence[PlannedRule]) -> str:
    """What happens on one side, in words."""
    if not rules:
        return "passes"
    conditions = {rule.id: rule.when for rule in policy.rules}
    always = [rule for rule in rules if rule.condition is None]
    parts = [_done(always)] if always else ["passes"]
    parts += [f"{_done([rule])} if `{conditions[rule.id]}`" for rule in rules if rule.condition is not None]
    return "; ".join(parts) + _where(always or rules)


def _done(rules: Sequence[PlannedRule]) -> str:
    strongest = max(rules, key=lambda rule: rule.action)
    if strongest.action is Action.REFUSE:
        return "refused"
    flags = dict.fromkeys(f"flag `{name}`" for rule in rules for name, _ in rule.flags)
    if strongest.rewrite is not None:
        return ", ".join([REWRITTEN[strongest.rewrite.mode], *flags])
    return ", ".join(flags) or "passes, recorded"


def _where(rules: Sequence[PlannedRule]) -> str:
    """Which texts are meant, where not all are."""
    roles = frozenset().union(*(rule.roles for rule in rules))
    kinds = frozenset().union(*(rule.kinds for rule in rules))
    if roles != set(ROLES):
        return f" (role {_listed(roles)})"
    missing = set(KINDS) - kinds
    return f" (not in {_listed(missing)})" if missing else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def rows(policy: Policy, plan: Plan) -> Iterator[tuple[str, str, str]]:
    """(what is found, prompt, answer), labels with the same answers together."""
    kinds = dict.fromkeys(
        use.kind for side in (plan.prompt, plan.completion) for rule in side.rules for use in rule.uses
    )
    for kind in kinds:
        uses = [
            u for side in (plan.prompt, plan.completion) for rule in side.rules for u in rule.uses if u.kind == kind
        ]
        groups: dict[tuple[str, str], list[str]] = {}
        for label in sorted({label for use in uses for label in labels(use)}):
            cells = (
                cell(policy, rules_about(plan, "prompt", kind, label)),
                cell(policy, rules_about(plan, "completion", kind, label)),
            )
            groups.setdefault(cells, []).append(label)
        most = max(map(len, groups.values()))
        few = [name for names in groups.values() if len(names) < most for name in names]
        rest = f"all but {_listed(few)}" if len(few) <= MANY else "all others"
        for cells, names in sorted(groups.items(), key=lambda group: len(group[1])):
            named = f"{len(names)} kinds: {rest}" if MANY < len(names) == most else _listed(names)
            yield f"`{kind}` {named}", *cells


def table(policy: Policy, plan: Plan) -> str:
    lines = ["| found | in a prompt | in an answer |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(policy, plan)]
    return "\n".join(lines) + "\n"
