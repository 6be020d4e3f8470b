"""Policy → Plan: detectors built, patterns compiled, conditions checked, stream classes derived. It boots or refuses."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lockgate.detectors.catalog import CATALOG, Entry
from lockgate.detectors.protocol import Detector, PatternDetector
from lockgate.errors import PatternError, PolicyError
from lockgate.exchange import KINDS, ROLES, SIDES, Kind, Role, Side
from lockgate.notes import Note
from lockgate.policy.conditions import Condition, compile_condition
from lockgate.policy.flag_note import FlagNote
from lockgate.policy.merge import overlaid
from lockgate.policy.nearest import suggest
from lockgate.policy.plan import (
    Look,
    Overlays,
    Plan,
    PlannedRule,
    Refusal,
    Rewrite,
    SidePlan,
    StreamClass,
    Use,
)
from lockgate.policy.problems import say
from lockgate.policy.schema import Policy, Rule
from lockgate.policy.scope import combinations
from lockgate.policy.surfaces import DEFAULT
from lockgate.policy.sweeps import Patterns, ready
from lockgate.policy.then import DEFAULT_MESSAGE
from lockgate.verdict import Action

_WHOLE = ("hold", "after")

READY = 64
"""Combinations of overlays that are compiled at load, the smallest first; others are when they are first met."""

Built = dict[tuple[str, str, str], tuple[PatternDetector | Detector, ...]]
"""Kind, configuration, and what else it was made from → detectors."""


def compile_policy(policy: Policy, *, catalog: Mapping[str, Entry] = CATALOG) -> Plan:
    """Compile `policy`. Raises PolicyError with file:line for everything that would not run.

    `catalog` maps a detector's kind to its configuration model and factory; pass an extended one for detectors of
    your own.
    """
    collects = gc.isenabled()
    gc.disable()  # next to nothing of what is made here is garbage, and looking for it takes a third of the time
    try:
        return _with_overlays(policy, catalog)
    finally:
        if collects:
            gc.enable()


def _with_overlays(policy: Policy, catalog: Mapping[str, Entry]) -> Plan:
    built: Built = {}
    plan = _compiled(policy, catalog, built)
    if not policy.overlays:
        return plan
    scopes = [(one.id, one.where) for one in policy.overlays]
    overlays = Overlays(scopes, lambda ids: _compiled(overlaid(policy, ids), catalog, built))
    for one in scopes:  # each by itself, whether or not it can be met so
        overlays.plan_under((one[0],))
    for holding in combinations([scope for _, scope in scopes], READY):
        if len(holding) > 1:
            overlays.plan_under(tuple(scopes[i][0] for i in holding))
    return replace(plan, overlays=overlays, judged=plan.judged or any(made.judged for made in overlays.made))


def _compiled(policy: Policy, catalog: Mapping[str, Entry], built: Built) -> Plan:
    builder = _Builder(policy, catalog, built)
    rules = [builder.rule(i, rule) for i, rule in enumerate(policy.rules)]
    for i, rule in enumerate(rules):
        _check_permit_names(policy, i, rule, rules)
        _check_permit(rule, rules)
    patterns = Patterns(rules, policy.stream.max_hold)
    sides = {side: _side(side, rules, patterns) for side in SIDES}
    said = policy.unguarded
    surfaces = dict(said) if isinstance(said, Mapping) else {DEFAULT: said}
    return Plan(
        policy=policy.name,
        hash=policy.hash,
        prompt=sides["prompt"],
        completion=sides["completion"],
        unknown=policy.unknown,
        unseen=policy.unseen,
        unguarded=surfaces.pop(DEFAULT),
        surfaces=surfaces,
        max_hold=policy.stream.max_hold,
        hold_limit=policy.stream.hold_limit,
        flag_wait=policy.stream.flag_wait_ms / 1000,
        deadline=policy.deadline_ms / 1000,
        models=_models(rules),
        logprobs=frozenset(r.id for r in sides["completion"].rules if r.reads_logprobs),
        sources=policy.sources,
        principles={one.id: one.text for one in policy.principles},
        judged=any(rule.rounds or any(getattr(u.detector, "judged", False) for u in rule.uses) for rule in rules),
        canary=next(
            (r.id for r in rules for use in r.uses if getattr(use.detector, "canary", False) and r.would is None), ""
        ),
    )


class _Builder:
    """Builds each detector once for each configuration, however many rules ask for it: `built` are those that are there."""

    def __init__(self, policy: Policy, catalog: Mapping[str, Entry], built: Built) -> None:
        self._policy = policy
        self._catalog = catalog
        self._built = built
        self._principles = {principle.id: principle for principle in policy.principles}

    def rule(self, index: int, rule: Rule) -> PlannedRule:
        policy = self._policy
        uses = tuple(use for kind, config in rule.use.items() for use in self._uses(index, kind, config))
        condition = self._condition(index, rule, uses)
        then = rule.then
        principle = self._principles.get(rule.principle or "")
        action = Action.ALLOW
        refusal = rewrite = None
        if then is not None:
            if then.refuse is not None:
                said, told = then.refuse.message, then.refuse.explain
                own = told and said == DEFAULT_MESSAGE
                action, refusal = Action.REFUSE, Refusal(said, then.refuse.status, told, own)
            elif then.revise is not None:
                action, refusal = Action.REWRITE, Refusal(DEFAULT_MESSAGE, own=True)
            elif then.rewrite is not None:
                action, rewrite = Action.REWRITE, Rewrite(then.rewrite.mode, then.rewrite.text, then.restore)
            elif then.flag:
                action = Action.FLAG
        planned = PlannedRule(
            id=rule.id,
            sides=frozenset(rule.side),
            roles=frozenset(rule.where.role),
            kinds=frozenset(rule.where.kind),
            uses=uses,
            condition=condition,
            action=action,
            refusal=refusal,
            rewrite=rewrite,
            flags=tuple((name, _note(said)) for name, said in then.flag.items()) if then is not None else (),
            on_error=rule.on_error,
            on_unverified=rule.on_unverified,
            permit=frozenset(rule.permit),
            final=rule.final,
            principle=rule.principle or "",
            priority=principle.priority if principle is not None else 0,
            layer=policy.layer("rules", index),
            stream=self._stream(index, rule, uses, condition, action),
            where=policy.at("rules", index),
            scope=principle.scope if principle is not None else None,
            rounds=then.revise.rounds if then is not None and then.revise is not None else 0,
        )
        return planned if rule.mode == "enforce" else planned.in_shadow()

    def _uses(self, index: int, kind: str, config: Any) -> list[Use]:
        where = self._policy.at("rules", index, "use", kind)
        entry = self._catalog.get(kind)
        if entry is None:
            hint = suggest(kind, list(self._catalog)) or f"known detectors: {', '.join(sorted(self._catalog))}"
            raise PolicyError(f"there is no detector {kind!r}", where=where, hint=hint)
        folder = str(Path(where.rpartition(":")[0]).parent) if entry.files else ""
        # A judge reads the principles, and an overlay may change these.
        told = "\n".join(repr(one) for one in self._policy.principles) if kind == "judge" else ""
        key = (kind, json.dumps(config, sort_keys=True), f"{folder}\n{told}")
        if key not in self._built:
            try:
                context = {"folder": folder, "principles": self._policy.principles}
                read = entry.config.model_validate(config, context=context)
                built = entry.build(read)
                if entry.shipped and isinstance(built, PatternDetector):
                    built = replace(built, specs=tuple(replace(spec, shipped=True) for spec in built.specs))
                second = entry.beside(read)
                self._built[key] = (built,) if second is None else (built, second)
            except ValidationError as error:
                raise self._misread(error, index, kind, config, entry) from None
            except PolicyError as error:
                part = error.problem.partition(":")[0]
                written = isinstance(config, Mapping) and part in config
                raise error.at(
                    self._policy.at("rules", index, "use", kind, part) if written else self._row(index, kind, part)
                ) from None
        for detector in self._built[key]:
            if isinstance(detector, PatternDetector):
                self._check_patterns(detector, index)
        return [Use(kind, detector) for detector in self._built[key]]

    def _misread(self, error: ValidationError, index: int, kind: str, config: Any, entry: Entry) -> PolicyError:
        """The first thing that is wrong with a detector's configuration."""
        details = error.errors(include_url=False)[0]
        path = details["loc"]
        written = _written(path, config) + (path[-1:] if details["type"] == "missing" else ())
        details["loc"] = written or (kind,)
        problem, hint = say(details, entry.config)
        where = self._policy.at("rules", index, "use", kind, *details["loc"])
        return PolicyError(f"{kind}: {problem}", where=where, hint=hint)

    def _row(self, index: int, kind: str, label: str) -> str:
        """Where the policy writes the row `label` of a detector whose table is called as its kind is; of another, where
        it is used."""
        return self._policy.at("rules", index, "use", kind, kind, label)

    def _check_patterns(self, detector: PatternDetector, index: int) -> None:
        for spec in detector.specs:
            if spec.max_width > self._policy.stream.max_hold:
                raise PatternError(
                    f"{spec.label}: max_width {spec.max_width} is more than stream.max_hold "
                    f"{self._policy.stream.max_hold}",
                    where=self._row(index, detector.kind, spec.label),
                    hint="a stream could not hold such a match: raise stream.max_hold or lower max_width",
                )

    def _condition(self, index: int, rule: Rule, uses: tuple[Use, ...]) -> Condition | None:
        if rule.when is None:
            return None
        where = self._policy.at("rules", index, "when")
        return compile_condition(rule.when, where=where, detectors=_labels(uses))

    def _stream(
        self, index: int, rule: Rule, uses: tuple[Use, ...], condition: Condition | None, action: Action
    ) -> StreamClass:
        where = self._policy.at("rules", index)
        flags = rule.then.flag.values() if rule.then is not None else ()
        does = "rewrites" if action is Action.REWRITE else ""
        if not does and any(isinstance(said, FlagNote) and _note(said).within for said in flags):
            does = "marks text"
        revises = rule.then is not None and rule.then.revise is not None
        if revises and rule.stream != "hold":
            raise PolicyError(
                f"rule {rule.id!r} revises, so a stream has to hold the answer for it",
                where=where,
                hint="write `stream: hold`",
            )
        if does and rule.stream == "after":
            raise PolicyError(
                f"rule {rule.id!r} {does}, which is too late after the text has gone",
                where=self._policy.at("rules", index, "stream"),
                hint="write `stream: hold`",
            )
        if does and not revises:
            for use in uses:
                if not use.patterned and not getattr(use.detector, "gives_spans", False):
                    raise PolicyError(
                        f"rule {rule.id!r} {does}, but {use.kind!r} does not say where",
                        where=self._policy.at("rules", index, "use", use.kind),
                        hint="refuse or flag instead",
                    )
        if rule.stream is not None:
            return rule.stream
        whole = [use.kind for use in uses if use.detector.reach.kind == "whole"]
        counts = condition is not None and bool(condition.uses_detectors)
        if "completion" in rule.side and (whole or counts):
            why = f"{whole[0]!r} judges" if whole else "its `when` judges"
            raise PolicyError(
                f"rule {rule.id!r}: {why} a whole answer, so in a stream it must either hold it or come after it",
                where=where,
                hint="add `stream: hold` or `stream: after`",
            )
        if whole or counts:
            return "hold"  # prompts only: they are always whole
        if any(use.detector.reach.kind == "sentence" for use in uses):
            return "window"
        return "span"


def _note(said: str | FlagNote) -> Note:
    if isinstance(said, str):
        return Note({"en": said}, bare=True)
    return Note(said.texts, said.message or "", said.form, said.at)


def _models(rules: Iterable[PlannedRule]) -> tuple[str, ...]:
    asked = (getattr(use.detector, "models", ()) for rule in rules for use in rule.uses)
    return tuple(dict.fromkeys(name for names in asked for name in names))


def _labels(uses: Iterable[Use]) -> dict[str, frozenset[str]]:
    """Kind → all labels that it can give."""
    labels: dict[str, frozenset[str]] = {}
    for use in uses:
        labels[use.kind] = labels.get(use.kind, frozenset()) | use.detector.labels
    return labels


def _written(path: Sequence[int | str], config: Any) -> tuple[int | str, ...]:
    """`path` without the names that pydantic gives to the branches of a union, which no file has."""
    kept: list[int | str] = []
    for part in path:
        named = isinstance(config, Mapping) and part in config
        if named or (isinstance(config, (list, tuple)) and isinstance(part, int)):
            config = config[part]
            kept.append(part)
    return tuple(kept)


def _check_permit_names(policy: Policy, index: int, permit: PlannedRule, rules: list[PlannedRule]) -> None:
    """What a rule permits is a rule of the policy, or a label that one of its detectors can give."""
    if not permit.permit:
        return
    known = {rule.id for rule in rules} - {permit.id}
    known |= {label for rule in rules for use in rule.uses for label in use.detector.labels}
    for name in policy.rules[index].permit:
        if name not in known:
            raise PolicyError(
                f"rule {permit.id!r} permits {name!r}, which is no other rule's id, and no label that a rule's "
                "detectors can give",
                where=policy.at("rules", index, "permit"),
                hint=suggest(name, known),
            )


def _check_permit(permit: PlannedRule, rules: list[PlannedRule]) -> None:
    """A permit that depends on the answer can only be judged when the answer is whole; so can what it may remove."""
    if not permit.permit or "completion" not in permit.sides or not permit.uses:
        return
    for rule in rules:
        labels = {label for use in rule.uses for label in use.detector.labels}
        touched = rule.id in permit.permit or bool(labels & permit.permit)
        if rule is permit or not touched or "completion" not in rule.sides or not (rule.acts or rule.permit):
            continue
        if rule.stream not in _WHOLE or permit.stream not in _WHOLE:
            raise PolicyError(
                f"rule {permit.id!r} may permit {rule.id!r} by what it finds in the answer, which a stream knows only "
                "at its end",
                where=permit.where,
                hint="add `stream: hold` to both, or let the permit depend on `when: request.…` alone",
            )


def _acting(side: Side, rules: Iterable[PlannedRule]) -> list[PlannedRule]:
    """Those that hold a text until they are decided."""
    return [rule for rule in rules if rule.acts and (side == "prompt" or rule.stream not in _WHOLE)]


def _side(side: Side, rules: list[PlannedRule], patterns: Patterns) -> SidePlan:
    mine = tuple(rule for rule in rules if side in rule.sides)
    acting = _acting(side, mine)
    # All texts of a side hold what any may be the beginning of: little more, and it takes one automaton, not many.
    held = patterns.of(acting), patterns.of(rule for rule in mine if rule not in acting)
    looks: dict[tuple[Role, Kind], Look] = {}
    shared: dict[tuple[str, ...], Look] = {}
    for role in ROLES:
        for kind in KINDS:
            admitted = tuple(rule for rule in mine if rule.uses and rule.admits(role, kind))
            if not admitted:
                continue
            key = tuple(rule.id for rule in admitted)
            if key not in shared:
                shared[key] = _look(side, admitted, patterns, held)
            looks[role, kind] = shared[key]
    return SidePlan(side, mine, looks, any(rule.scope is not None for rule in mine))


def _look(
    side: Side,
    rules: tuple[PlannedRule, ...],
    patterns: Patterns,
    held: tuple[frozenset[int], frozenset[int]],
) -> Look:
    streams = side == "completion"
    acting = _acting(side, rules)
    watching = [rule for rule in rules if rule not in acting]
    coded = [(rule, use) for rule in rules for use in rule.uses if not use.patterned]
    windowed = tuple((r, u) for r, u in coded if r.stream == "window" and u.detector.reach.kind == "sentence")
    whole = tuple(pair for pair in coded if pair not in windowed)
    return Look(
        rules=rules,
        patterns=patterns.sweep(rules),
        acting=ready(patterns.sweep(acting, held[0]), rules[0].where) if streams else patterns.sweep(acting),
        watching=ready(patterns.sweep(watching, held[1]), rules[0].where) if streams else patterns.sweep(watching),
        windowed=windowed,
        whole=whole,
        holds=streams and any(rule.stream == "hold" for rule in rules),
        names=tuple(sorted({use.kind for rule in rules for use in rule.uses})),
    )
