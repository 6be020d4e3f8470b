"""Pure: results × rules → Verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lockgate.act import edit_for, unite
from lockgate.exchange import Exchange, Side
from lockgate.policy.conditions import Answer, ConditionFailure
from lockgate.policy.plan import Plan, PlannedRule, request_facts
from lockgate.verdict import Action, Edit, Failure, Finding, Flag, RuleOutcome, Verdict

PARTIAL = frozenset({"too_wide", "uneditable", "unfit", "straddles"})
"""Reasons of failures that leave a detector's other findings what they are."""

UNKNOWN_RULE = "unknown"
"""The rule id under which the policy's `unknown:` reports."""
UNSEEN_RULE = "unseen"
"""The same of its `unseen:`."""


@dataclass(slots=True)
class RuleResult:
    """What one rule's `use:` gave: findings, and what failed."""

    findings: list[Finding] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


Results = dict[str, RuleResult]
"""Rule id → its result. A rule without an entry found nothing."""

_NONE = RuleResult()


@dataclass(slots=True)
class _Hit:
    rule: PlannedRule
    findings: list[Finding]


def blank(plan: Plan, side: Side) -> Verdict:
    return Verdict(side, plan.policy, plan.hash, commit=plan.commit, models=plan.models, overlays=plan.overlaid)


def decide(
    plan: Plan,
    side: Side,
    rules: Sequence[PlannedRule],
    results: Mapping[str, RuleResult],
    exchange: Exchange,
    *,
    choice: int | None = None,
    unknown: Sequence[str] = (),
    make: Callable[[PlannedRule, Finding], Edit | None] = edit_for,
) -> Verdict:
    """Decide one side of an exchange; of a completion, one choice of it.

    `unknown` are the pointers of what no lens knew. `make` makes the edit of a finding, or says None where the text
    can't take it: the rule has failed then (`unfit`).
    """
    verdict = blank(plan, side)
    if not results and not unknown and all(rule.uses for rule in rules):
        return verdict  # nothing found, nothing failed: the way of nearly every exchange
    hits: list[_Hit] = []
    failed: list[tuple[PlannedRule, list[Failure]]] = []
    facts: dict[str, object] | None = None
    for rule in rules:
        result = results.get(rule.id, _NONE)
        if len(result.findings) > 1:
            result = RuleResult(distinct(result.findings), result.failures)
        verdict.findings.extend(result.findings)
        verdict.failures.extend(result.failures)
        if rule.uses and not result.findings and not result.failures:
            continue  # a rule applies where its `use:` found something
        if rule.condition is not None:
            facts = facts if facts is not None else request_facts(exchange, side)
            value = rule.condition.evaluate(_answers(rule, result), facts)
            if isinstance(value, ConditionFailure):
                failures = result.failures or [_condition_failure(rule, choice)]
                if not result.failures:
                    verdict.failures.extend(failures)
                failed.append((rule, failures))
            elif value and (result.findings or not result.failures or rule.condition.uses_detectors):
                hits.append(_Hit(rule, result.findings))
                _keep_uncovered(result, failed, rule)
            elif value:
                failed.append((rule, result.failures))
        elif result.findings:
            hits.append(_Hit(rule, result.findings))
            _keep_uncovered(result, failed, rule)
        elif result.failures:
            failed.append((rule, result.failures))
    hits, failed = _permit(verdict, hits, failed, choice)
    _apply(verdict, hits, failed, choice, make)
    if unknown:
        _unknown(verdict, plan, unknown, choice)
    _fail(verdict, failed, choice)
    return verdict


def distinct(findings: Sequence[Finding]) -> list[Finding]:
    """One detector's findings of one label that overlap are one thing, seen twice: by a number's form, say, and by the
    word before it. They become one finding, over the span of all, with the highest score."""
    found: list[Finding] = []
    newest: dict[tuple[str, str, str, int | None], int] = {}
    places = {where: i for i, where in enumerate(dict.fromkeys(finding.where for finding in findings))}
    for finding in sorted(findings, key=lambda f: (places[f.where], f.span or (-1, -1))):
        if finding.span is None:
            found.append(finding)
            continue
        name = (finding.detector, finding.label, finding.where, finding.choice)
        at = newest.get(name)
        before = found[at].span if at is not None else None
        if at is None or before is None or finding.span[0] >= before[1]:
            newest[name] = len(found)
            found.append(finding)
            continue
        span = (before[0], max(before[1], finding.span[1]))
        found[at] = replace(found[at], span=span, score=max(found[at].score, finding.score))
    return found if len(found) < len(findings) else list(findings)


def _keep_uncovered(result: RuleResult, failed: list[tuple[PlannedRule, list[Failure]]], rule: PlannedRule) -> None:
    """A rewrite that applies has not covered what a failure hid: a match that was cut at its width, or stands where
    nothing can be edited; all that another detector would have found. That a condition is true in spite of a detector's
    failure is for the condition to say."""
    judged = rule.condition is not None and rule.condition.uses_detectors
    hidden = [f for f in result.failures if not judged or f.reason in PARTIAL]
    if hidden and rule.action is Action.REWRITE:
        failed.append((rule, hidden))


def _condition_failure(rule: PlannedRule, choice: int | None) -> Failure:
    return Failure("when", "condition", rule=rule.id, choice=choice, on_error=rule.on_error)


def _answers(rule: PlannedRule, result: RuleResult) -> dict[str, Answer | None]:
    """What each detector of the rule's `use:` answered; None for one that failed."""
    down = {f.detector for f in result.failures if f.reason not in PARTIAL}
    answers: dict[str, Answer | None] = {}
    for kind in rule.detectors:
        if kind in down:
            answers[kind] = None
            continue
        mine = [finding for finding in result.findings if finding.detector == kind]
        labels: dict[str, float] = {}
        for finding in mine:
            labels[finding.label] = max(finding.score, labels.get(finding.label, 0.0))
        answers[kind] = Answer(score=max(labels.values(), default=0.0), labels=labels, count=len(mine))
    return answers


def _permit(
    verdict: Verdict,
    hits: list[_Hit],
    failed: list[tuple[PlannedRule, list[Failure]]],
    choice: int | None,
) -> tuple[list[_Hit], list[tuple[PlannedRule, list[Failure]]]]:
    if not any(hit.rule.permit for hit in hits):
        return hits, failed
    labels_of = {hit.rule.id: {finding.label for finding in hit.findings} for hit in hits}
    permits = standing([hit.rule for hit in hits], lambda rule: labels_of[rule.id])
    kept: list[_Hit] = []
    for hit in hits:
        by = next((p for p in permits if p is not hit.rule and outranks(p, hit.rule) and hit.rule.id in p.permit), None)
        if by is None and hit.findings:
            labels = {label: p for p in permits if p is not hit.rule and outranks(p, hit.rule) for label in p.permit}
            rest = [finding for finding in hit.findings if finding.label not in labels]
            if not rest:
                by = labels[hit.findings[0].label]
            hit.findings = rest
        if by is None:
            kept.append(hit)
        else:
            verdict.rules.append(_permitted(hit.rule, by, choice))
    still: list[tuple[PlannedRule, list[Failure]]] = []
    for rule, failures in failed:
        by = next((p for p in permits if outranks(p, rule) and rule.id in p.permit), None)
        if by is None:
            still.append((rule, failures))
        else:
            verdict.rules.append(_permitted(rule, by, choice))
    verdict.rules.extend(_overruled(permits, kept, choice))
    return kept, still


def _overruled(permits: Sequence[PlannedRule], kept: Sequence[_Hit], choice: int | None) -> Iterator[RuleOutcome]:
    """The permits that stand against a rule which outranks them, each with the first such rule."""
    for permit in permits:
        for hit in kept:
            named = hit.rule.id in permit.permit or any(finding.label in permit.permit for finding in hit.findings)
            if hit.rule is not permit and hit.rule.would is None and named and not outranks(permit, hit.rule):
                yield RuleOutcome(
                    permit.id, permit.action, "overruled", principle=hit.rule.principle, by=hit.rule.id, choice=choice
                )
                break


def standing(rules: Iterable[PlannedRule], labels_of: Callable[[PlannedRule], Collection[str]]) -> list[PlannedRule]:
    """The permits among `rules` that no other of them removes; `labels_of` says what a rule has found. Of two that
    remove each other, the first stands."""
    stand: list[PlannedRule] = []
    for permit in sorted((rule for rule in rules if rule.permit), key=lambda rule: (-rule.priority, rule.layer)):
        if not any(_removes(other, permit, labels_of(permit)) for other in stand):
            stand = [*(other for other in stand if not _removes(permit, other, labels_of(other))), permit]
    return stand


def _removes(permit: PlannedRule, rule: PlannedRule, labels: Collection[str]) -> bool:
    if permit is rule or not outranks(permit, rule):
        return False
    return rule.id in permit.permit or bool(labels and permit.permit.issuperset(labels))


def outranks(permit: PlannedRule, rule: PlannedRule) -> bool:
    """The higher priority wins; of equal ones the nearer file, the permit's own file included."""
    if rule.final:
        return False
    if permit.priority != rule.priority:
        return permit.priority > rule.priority
    return permit.layer <= rule.layer


def _permitted(rule: PlannedRule, by: PlannedRule, choice: int | None) -> RuleOutcome:
    return RuleOutcome(rule.id, rule.action, "permitted", principle=by.principle, by=by.id, choice=choice)


def _apply(
    verdict: Verdict,
    hits: list[_Hit],
    failed: list[tuple[PlannedRule, list[Failure]]],
    choice: int | None,
    make: Callable[[PlannedRule, Finding], Edit | None],
) -> None:
    refusing = [hit for hit in hits if hit.rule.action is Action.REFUSE]
    for hit in hits:
        rule = hit.rule
        if rule.would is not None:
            verdict.rules.append(RuleOutcome(rule.id, rule.would, "shadow", principle=rule.principle, choice=choice))
            continue
        verdict.rules.append(RuleOutcome(rule.id, rule.action, "applied", principle=rule.principle, choice=choice))
        verdict.action = max(verdict.action, rule.action)
        if refusing and rule.action is not Action.REFUSE:
            continue  # what a refusal stops is neither edited nor marked
        verdict.flags.extend(
            Flag(name, note.text("", ""), rule.id, choice, note, tuple(hit.findings)) for name, note in rule.flags
        )
        if rule.flags:
            verdict.action = max(verdict.action, Action.FLAG)
    if refusing:
        strongest = max(refusing, key=lambda hit: hit.rule.priority)
        refuse(verdict, strongest.rule, strongest.findings[0].where if strongest.findings else "", choice)
        return
    fixed = {(f.rule, f.where) for f in verdict.failures if f.reason in ("uneditable", "unfit")}
    edits: list[Edit] = []
    for hit in hits:
        for finding in hit.findings if hit.rule.rewrite is not None else ():
            if finding.span is None or (hit.rule.id, finding.where) in fixed:
                continue
            edit = make(hit.rule, finding)
            if edit is not None:
                edits.append(edit)
                continue
            failure = Failure(finding.detector, "unfit", finding.where, hit.rule.id, choice, hit.rule.on_error)
            if failure not in verdict.failures:
                verdict.failures.append(failure)
                failed.append((hit.rule, [failure]))
    verdict.edits = unite(edits)


def refuse(verdict: Verdict, rule: PlannedRule, where: str, choice: int | None) -> None:
    """Make `verdict` a refusal by `rule`."""
    assert rule.refusal is not None
    verdict.action = Action.REFUSE
    verdict.message = rule.refusal.message
    verdict.status = rule.refusal.status
    verdict.where = where
    verdict.by = rule.id
    verdict.edits = []
    if choice is not None:
        verdict.refused_choices[choice] = rule.refusal.message


def _fail(verdict: Verdict, failed: list[tuple[PlannedRule, list[Failure]]], choice: int | None) -> None:
    for rule, failures in failed:
        if rule.would is not None:
            outcome = RuleOutcome(rule.id, rule.would, "shadow_failed", principle=rule.principle, choice=choice)
            verdict.rules.append(outcome)
            continue
        if not any(o.rule == rule.id and o.choice == choice for o in verdict.rules):
            verdict.rules.append(RuleOutcome(rule.id, rule.action, "failed", principle=rule.principle, choice=choice))
        judged = {rule.judgement(failure.reason) for failure in failures}
        if "refuse" in judged:
            verdict.unavailable = verdict.action is not Action.REFUSE
        elif "flag" in judged:
            verdict.action = max(verdict.action, Action.FLAG)
            names = ", ".join(sorted({failure.detector for failure in failures}))
            unknown = all(failure.reason == "unverified" for failure in failures)
            said = "A text is in a language that a check does not know" if unknown else "A check could not be made"
            if unknown and rule.reads_logprobs:
                said = "The model's log probabilities are not known"
            verdict.flags.append(Flag("unverified", f"{said} ({names}).", rule.id, choice))
        elif all(failure.reason == "unverified" for failure in failures):
            verdict.unverified += 1
        else:
            verdict.failed_open += 1


def _unknown(verdict: Verdict, plan: Plan, unknown: Sequence[str], choice: int | None) -> None:
    if plan.unknown == "allow":
        return
    action = Action.FLAG if plan.unknown == "flag" else Action.REFUSE
    verdict.rules.append(RuleOutcome(UNKNOWN_RULE, action, "applied", choice=choice))
    verdict.action = max(verdict.action, action)
    if action is Action.FLAG:
        verdict.flags.append(Flag("unverified", "A part of this exchange could not be read.", UNKNOWN_RULE, choice))
        return
    verdict.message = "The request has a part that this policy can't check, and the policy refuses such parts."
    verdict.where = unknown[0]
    verdict.status = 400
    verdict.edits = []
    if choice is not None:
        verdict.refused_choices[choice] = verdict.message


def judge_unseen(verdict: Verdict, plan: Plan, unseen: Sequence[str]) -> None:
    """What is done about texts that the upstream keeps, and that a request only names; after all else is decided."""
    if not unseen or plan.unseen == "allow":
        return
    action = Action.FLAG if plan.unseen == "flag" else Action.REFUSE
    verdict.rules.append(RuleOutcome(UNSEEN_RULE, action, "applied"))
    stopped = verdict.action is Action.REFUSE or verdict.unavailable
    verdict.action = max(verdict.action, action)
    if action is Action.FLAG:
        said = "Earlier texts, which the upstream keeps, were not looked at."
        verdict.flags.append(Flag("unverified", said, UNSEEN_RULE))
    elif not stopped:
        verdict.message = (
            "The request builds on texts that the upstream keeps, which this policy can't check; send them."
        )
        verdict.where = unseen[0]
        verdict.status = 400
        verdict.edits = []


def merge(verdicts: Iterable[Verdict], into: Verdict) -> Verdict:
    """Verdicts of an answer's choices → the answer's."""
    for verdict in verdicts:
        into.action = max(into.action, verdict.action)
        into.rules.extend(verdict.rules)
        into.findings.extend(verdict.findings)
        into.edits.extend(verdict.edits)
        into.flags.extend(verdict.flags)
        into.failures.extend(verdict.failures)
        into.coverage.merge(verdict.coverage)
        into.unavailable = into.unavailable or verdict.unavailable
        into.failed_open += verdict.failed_open
        into.unverified += verdict.unverified
        into.refused_choices.update(verdict.refused_choices)
        into.revised += verdict.revised
        into.found = tuple(dict.fromkeys((*into.found, *verdict.found)))
        if verdict.message and not into.message:
            into.message, into.status, into.where = verdict.message, verdict.status, verdict.where
    return into
