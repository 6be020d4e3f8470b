"""What a policy says of one recorded exchange, and why: a report of plain values, made by the passage that serves.

Without `text` the report holds no text of the exchange: findings show the shape of what was found (letters as x, digits
as 9), edits what they put in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lockgate.act import apply
from lockgate.decide import UNKNOWN_RULE, UNSEEN_RULE, outranks
from lockgate.engine import STOPPED_EARLY
from lockgate.errors import WireError
from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.explain_stream import Told, streamed
from lockgate.ids import new_id
from lockgate.passage import Passage
from lockgate.policy.plan import Plan, PlannedRule
from lockgate.shape import shape
from lockgate.verdict import Action, Edit, Finding, RuleOutcome, Verdict
from lockgate.windows import MAX_WINDOW
from lockgate.wire.chat import ChatLens
from lockgate.wire.document import parse
from lockgate.wire.edit import edit_document, refuse_choices
from lockgate.wire.token_logprobs import Tokens, answer_tokens, event_tokens

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What there is of an exchange: the bytes of a chat request, those of a plain answer, or the data of a streamed
    answer's events."""

    request: bytes | None = None
    answer: bytes | None = None
    events: Sequence[bytes] | None = None


async def explain(
    plan: Plan,
    recorded: Recorded,
    *,
    tags: Sequence[str] = (),
    tenant: str = "",
    country: str = "",
    language: str = "",
    key: str = "",
    text: bool = False,
) -> Report:
    """The report. `tags`, `tenant`, `country`, `language` and `key` (its id) are what the proxy would know of the client.
    Raises WireError for what is no chat request, answer or event, and PolicyError for overlays that contradict each other."""
    subject = Subject("", "", tuple(tags), tenant, country, language, key)
    exchange = Exchange(new_id(), "chat", subject)
    goes = True
    report: Report = {}
    if recorded.request is not None:
        document = parse(recorded.request)
        reading = ChatLens().read_request(document)
        exchange.subject = replace(subject, model=reading.subject.model, user=reading.subject.user)
        exchange.stream, exchange.choices = reading.stream, reading.choices
        plan = plan.chosen(exchange)
        verdict = await Passage(plan, exchange).prompt(reading)
        goes = not _stopped(verdict)
        report["prompt"] = _side(plan, reading, verdict, text=text)
        report["prompt"]["result"] = _sent(verdict, recorded.request, document)
    plan = plan.chosen(exchange)
    report = {"policy": _policy(plan), "rules": [_rule(rule) for rule in _rules(plan)], **report}
    told = _told(recorded)
    if told is not None:
        exchange.stream = False
        verdict = await Passage(plan, exchange).answer(told.reading)
        plain = report["answer"] = _side(plan, told.reading, verdict, text=text)
        plain["asked"] = goes
        plain["result"] = _answered(verdict, recorded.answer, told)
        exchange.stream = True
        report["streamed"] = await streamed(Passage(plan, exchange), told, text=text)
    return report


# --- What the policy is -----------------------------------------------------------------------------------------------


def _policy(plan: Plan) -> Report:
    return {
        "name": plan.policy,
        "hash": plan.hash,
        "overlays": list(plan.overlaid),
        "files": list(plan.sources),
        "deadline_ms": round(plan.deadline * 1000),
        "unknown": plan.unknown,
        "unseen": plan.unseen,
        "unguarded": {"default": plan.unguarded, **plan.surfaces} if plan.surfaces else plan.unguarded,
        "max_hold": plan.max_hold,
        "hold_limit": plan.hold_limit,
    }


def _rules(plan: Plan) -> list[PlannedRule]:
    return list({rule.id: rule for side in (plan.prompt, plan.completion) for rule in side.rules}.values())


def _rule(rule: PlannedRule) -> Report:
    return {
        "rule": rule.id,
        "at": rule.where,
        "sides": sorted(rule.sides, reverse=True),
        "principle": rule.principle,
        "priority": rule.priority,
        "only": rule.scope.model_dump(mode="json", exclude_defaults=True) if rule.scope is not None else None,
        "roles": sorted(rule.roles),
        "kinds": sorted(rule.kinds),
        "detectors": list(rule.detectors),
        "when": rule.condition.expression if rule.condition is not None else None,
        "does": does(rule),
        "permits": sorted(rule.permit),
        "final": rule.final,
        "on_error": rule.on_error,
        "on_unverified": rule.on_unverified,
        "stream": _held(rule) if "completion" in rule.sides else None,
    }


def does(rule: PlannedRule) -> str:
    """What a rule does where it applies, in the policy's words."""
    if rule.would is not None:
        return f"shadow: {rule.would.word if rule.would else 'record'}"
    if rule.action is Action.REFUSE:
        return "refuse"
    if rule.rounds:
        return f"revise, {rule.rounds} rounds at most"
    if rule.rewrite is not None:
        return f"rewrite: {rule.rewrite.mode}{', restored' if rule.rewrite.restore else ''}"
    if rule.flags:
        return "flag"
    return "permit" if rule.permit else "record"


def _held(rule: PlannedRule) -> Report:
    """The rule's stream class, and what of an answer it holds back: `nothing`, a `match` that may not be complete, a
    `window`, or the whole `answer`; `characters` at most."""
    widest = max((use.detector.reach.characters for use in rule.uses if use.patterned), default=0)
    holds, characters = "nothing", 0
    if rule.stream == "hold":
        holds, characters = "answer", -1
    elif rule.stream == "window":
        holds, characters = "window", max(MAX_WINDOW, widest if rule.acts else 0)
    elif rule.stream == "span" and rule.acts and rule.uses:
        holds, characters = "match", widest
    return {"class": rule.stream, "holds": holds, "characters": None if characters < 0 else characters}


# --- One side ---------------------------------------------------------------------------------------------------------


def _side(plan: Plan, reading: Reading, verdict: Verdict, *, text: bool) -> Report:
    texts = {segment.where: segment for segment in reading.segments}
    return {
        "action": "unavailable" if verdict.unavailable else verdict.action.word,
        "coverage": verdict.coverage.counts(),
        "texts": [_segment(segment, verdict, text=text) for segment in reading.segments],
        "skipped": {where: why for where, why in verdict.coverage.skipped.items() if where not in texts},
        "rules": [_outcome(rule, plan, reading, verdict) for rule in plan.side(verdict.side).rules]
        + [_plain(outcome, "a part could not be read") for outcome in _of(UNKNOWN_RULE, verdict)[:1]]
        + [_plain(outcome, "the upstream keeps a part") for outcome in _of(UNSEEN_RULE, verdict)],
        "findings": [_finding(finding, texts, text=text) for finding in _unique(verdict.findings)],
        "failures": [
            {"rule": f.rule, "detector": f.detector, "reason": f.reason, "where": f.where, "on_error": f.on_error}
            for f in verdict.failures
        ],
        "edits": [_edit(edit, texts, text=text) for edit in verdict.edits],
        "flags": [flag.public() for flag in verdict.flags],
    }


def _segment(segment: Segment, verdict: Verdict, *, text: bool) -> Report:
    where = segment.where
    shown: Report = {"where": where, "role": segment.role, "kind": segment.kind, "length": len(segment.text)}
    if segment.choice is not None:
        shown["choice"] = segment.choice
    if segment.fixed:
        shown["fixed"] = True
    shown["looked_by"] = list(verdict.coverage.scanned.get(where, ()))
    if where in verdict.coverage.skipped:
        shown["skipped"] = verdict.coverage.skipped[where]
    if text:
        shown["text"] = segment.text
    return shown


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    ordered = sorted(findings, key=lambda f: (f.where, f.span or (0, 0), f.rule))
    return [finding for i, finding in enumerate(ordered) if finding not in ordered[:i]]


def _finding(finding: Finding, texts: Mapping[str, Segment], *, text: bool) -> Report:
    shown: Report = {
        "rule": finding.rule,
        "detector": finding.detector,
        "label": finding.label,
        "score": finding.score,
        "where": finding.where,
        "span": list(finding.span) if finding.span is not None else None,
    }
    if finding.span is not None and finding.where in texts:
        found = texts[finding.where].text[slice(*finding.span)]
        shown["shape"] = shape(found)
        if text:
            shown["text"] = found
    return shown


def _edit(edit: Edit, texts: Mapping[str, Segment], *, text: bool) -> Report:
    shown: Report = {"rule": edit.rule, "where": edit.where, "span": list(edit.span), "puts": edit.replacement}
    if text and edit.where in texts:
        shown["text"] = texts[edit.where].text[slice(*edit.span)]
    return shown


# --- Why a rule applied, or did not -----------------------------------------------------------------------------------


def _of(rule: str, verdict: Verdict) -> list[RuleOutcome]:
    return [outcome for outcome in verdict.rules if outcome.rule == rule]


def _plain(outcome: RuleOutcome, why: str) -> Report:
    return {"rule": outcome.rule, "does": outcome.action.word, "outcome": outcome.outcome, "why": why}


def _outcome(rule: PlannedRule, plan: Plan, reading: Reading, verdict: Verdict) -> Report:
    outcomes = _of(rule.id, verdict)
    kinds = {outcome.outcome for outcome in outcomes}
    shown: Report = {"rule": rule.id, "does": does(rule), "outcome": "did not apply", "why": ""}
    if "applied" in kinds:
        shown |= {"outcome": "applied", "why": _why_applied(rule, plan, verdict)}
    elif "shadow" in kinds:
        shown |= {"outcome": "in shadow", "why": _why_applied(rule, plan, verdict)}
    elif kinds & {"failed", "shadow_failed"}:
        shown |= {"outcome": "failed", "why": _why_failed(rule, verdict)}
    elif outcomes:
        shown |= {"outcome": "set aside", "why": f"by {outcomes[0].by}, which permits it"}
    else:
        shown["why"] = _why_not(rule, reading, verdict)
    return shown


def _why_applied(rule: PlannedRule, plan: Plan, verdict: Verdict) -> str:
    counts = Counter(f.label for f in _unique(verdict.findings) if f.rule == rule.id)
    why = [f"found {label}" + (f" {count} times" if count > 1 else "") for label, count in sorted(counts.items())]
    if rule.condition is not None:
        why.append("its condition is true")
    applied = {outcome.rule for outcome in verdict.rules if outcome.outcome == "applied"}
    for permit in plan.side(verdict.side).rules:
        gone = sorted(permit.permit & counts.keys())
        if gone and permit.id in applied and permit is not rule and outranks(permit, rule):
            why.append(f"{permit.id} permits {', '.join(gone)}")
    if verdict.action is Action.REFUSE and rule.action is not Action.REFUSE and rule.action is not Action.ALLOW:
        why.append("without effect beside a refusal")
    failed = [f for f in verdict.failures if f.rule == rule.id]
    return "; ".join([*why, *([_why_failed(rule, verdict)] if failed else [])])


def _why_failed(rule: PlannedRule, verdict: Verdict) -> str:
    failures = dict.fromkeys(f"{f.detector}: {f.reason}" for f in verdict.failures if f.rule == rule.id)
    mine = [failure for failure in verdict.failures if failure.rule == rule.id]
    judged = min((failure.on_error for failure in mine), key=("refuse", "flag", "allow").index)
    by = "on_unverified" if all(failure.reason == "unverified" for failure in mine) else "on_error"
    then = {"refuse": "fails closed", "flag": "passes, flagged", "allow": "passes"}[judged]
    return f"{', '.join(failures)}; {by}: {judged}, so it {then}"


def _why_not(rule: PlannedRule, reading: Reading, verdict: Verdict) -> str:
    condition = rule.condition.expression if rule.condition is not None else ""
    if not rule.uses:
        return f"its condition is false: {condition}"
    admitted = [segment.where for segment in reading.segments if rule.admits(segment.role, segment.kind)]
    if not admitted:
        return "no text here has a role and kind that it looks at"
    if any(finding.rule == rule.id for finding in verdict.findings):
        return f"found something, and its condition is false: {condition}"
    skipped = verdict.coverage.skipped
    coded = [use.kind for use in rule.uses if not use.patterned]
    if (
        coded
        and verdict.action is Action.REFUSE
        and any(skipped.get(where) == STOPPED_EARLY or _left_out(coded, where, verdict) for where in admitted)
    ):
        return "refused before it was asked"
    return "found nothing"


def _left_out(kinds: Sequence[str], where: str, verdict: Verdict) -> bool:
    return not set(kinds) <= set(verdict.coverage.scanned.get(where, ()))


# --- What comes of it -------------------------------------------------------------------------------------------------


def _stopped(verdict: Verdict) -> bool:
    return verdict.unavailable or verdict.action is Action.REFUSE


def _sent(verdict: Verdict, body: bytes, document: Any) -> Report:
    """What becomes of a request."""
    if verdict.action is Action.REFUSE:
        return {"goes": False, "status": verdict.status, "message": verdict.message, "where": verdict.where}
    if verdict.unavailable:
        return {"goes": False, "status": 503, "message": "guardrail_unavailable", "where": ""}
    sent = edit_document(body, document, verdict.edits) if verdict.edits else body
    return {"goes": True, "status": None, "bytes": [len(body), len(sent)], "changed": sent != body}


def _answered(verdict: Verdict, body: bytes | None, told: Told) -> Report:
    """What becomes of a plain answer. An answer that was recorded as a stream has no bytes of its own."""
    if verdict.unavailable:
        return {"goes": False, "status": 503, "message": "guardrail_unavailable"}
    shown: Report = {"goes": True, "status": 200, "changed": bool(verdict.edits or verdict.refused_choices)}
    if verdict.refused_choices:
        shown["refused"] = {str(choice): message for choice, message in sorted(verdict.refused_choices.items())}
    if body is not None:
        sent, choices = body, _choices(told.document)
        edits = [
            e for e in verdict.edits if not any(e.where.startswith(f"/choices/{c}/") for c in verdict.refused_choices)
        ]
        if edits:
            sent = edit_document(sent, told.document, edits)
        if refused := {c: m for c, m in verdict.refused_choices.items() if c < choices}:
            sent = refuse_choices(sent, told.document, refused)
        shown["bytes"] = [len(body), len(sent)]
    return shown


def _choices(document: Any) -> int:
    choices = document.get("choices") if isinstance(document, dict) else None
    return len(choices) if isinstance(choices, list) else 0


def _told(recorded: Recorded) -> Told | None:
    if recorded.answer is not None:
        document = parse(recorded.answer, lenient=True)
        reading = ChatLens().read_answer(document)
        reading.logprobs = answer_tokens(document)
        return Told.of_answer(document, reading)
    if recorded.events is None:
        return None
    readings = []
    tokens: Tokens = {}
    for i, data in enumerate(recorded.events):
        try:
            document = parse(data, lenient=True)
            readings.append(ChatLens().read_event(document))
        except WireError as error:
            raise WireError(f"event {i + 1} of the stream: {error.problem}", where=error.where) from None
        event_tokens(document, tokens)
    told = Told.of_events(readings)
    told.reading.logprobs = tokens
    return told


def edited(text: str, where: str, edits: Iterable[Mapping[str, Any]]) -> str:
    """`text`, which stands at `where`, as a report's `edits` leave it."""
    mine = [Edit(where, (edit["span"][0], edit["span"][1]), edit["puts"]) for edit in edits if edit["where"] == where]
    return apply(text, mine)
