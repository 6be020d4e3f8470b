"""A compiled policy: what the engine runs. Immutable, and shared by every exchange."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lockgate.detectors.protocol import Detector, PatternDetector
from lockgate.detectors.scanner import Scanner
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Kind, Role, Side
from lockgate.notes import Note
from lockgate.policy.conditions import Condition
from lockgate.policy.scope import Scope
from lockgate.verdict import Action, Reason

MOST_PLANS = 512
"""Combinations of overlays whose plans are kept: past that, the oldest is compiled again when it is met."""

OnError = Literal["refuse", "flag", "allow"]
Judgement = Literal["allow", "flag", "refuse"]
Unguarded = Literal["allow", "refuse"]
StreamClass = Literal["span", "window", "hold", "after"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusal says to the user, and the status of a refused prompt. `explains`: the kind of thing that was found
    is told; `own`: in place of the policy's words, where it has none."""

    message: str
    status: int = 400
    explains: bool = True
    own: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What stands in a finding's place: `mode` redact → ``[LABEL]``, mask → ``*`` a character, remove → nothing,
    replace → `text`; hash and pseudonym → a mask that is the value's own, which `restore` puts back in the answer."""

    mode: Literal["redact", "mask", "remove", "replace", "hash", "pseudonym"]
    text: str = ""
    restore: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """One detector, as a rule asks for it."""

    kind: str
    detector: PatternDetector | Detector

    @property
    def patterned(self) -> bool:
        return isinstance(self.detector, PatternDetector)


@dataclass(frozen=True, slots=True, eq=False)
class PlannedRule:
    """One rule, ready to run. `priority` is its principle's; `layer` how near its file is (0 the policy's own file,
    more for what it extends); `observes` means that it never holds a stream back."""

    id: str
    sides: frozenset[Side]
    roles: frozenset[Role]
    kinds: frozenset[Kind]
    uses: tuple[Use, ...]
    condition: Condition | None
    action: Action
    refusal: Refusal | None
    rewrite: Rewrite | None
    flags: tuple[tuple[str, Note], ...]
    on_error: OnError
    on_unverified: OnError
    permit: frozenset[str]
    final: bool
    principle: str
    priority: int
    layer: int
    stream: StreamClass
    where: str = ""
    scope: Scope | None = None
    """The exchanges in which it takes part: those that its principle applies to. None: all."""
    rounds: int = 0
    """How often a model may revise what it found, if it may."""
    would: Action | None = None
    """In shadow: what it would do. Then it does nothing itself, and says so in the verdict."""

    def in_shadow(self) -> PlannedRule:
        """This rule, as one that only watches: it neither acts, flags, permits, holds a stream, nor fails closed."""
        return replace(
            self, would=max(self.action, Action.FLAG) if self.flags else self.action, action=Action.ALLOW, refusal=None,
            rewrite=None, flags=(), permit=frozenset(), rounds=0, on_error="allow", on_unverified="allow",
            stream="after" if self.stream == "hold" else self.stream,
        )  # fmt: skip

    def admits(self, role: Role, kind: Kind) -> bool:
        return role in self.roles and kind in self.kinds

    @property
    def detectors(self) -> tuple[str, ...]:
        """The kinds that its `use:` names, each once."""
        return tuple(dict.fromkeys(use.kind for use in self.uses))

    def judgement(self, reason: Reason) -> OnError:
        """What a failure of its `use:` means. A note that was not ready in time is no reason to break off an answer that
        has been said: it is flagged as unverified."""
        if reason == "unverified":
            return self.on_unverified
        return "flag" if reason == "timeout" and self.notes and self.on_error == "refuse" else self.on_error

    @property
    def reads_logprobs(self) -> bool:
        """A detector of its own reads token log probabilities."""
        return any(getattr(use.detector, "reads_logprobs", False) for use in self.uses)

    @property
    def notes(self) -> bool:
        """It only says something, after a streamed answer."""
        return self.stream == "after" and not self.acts

    @property
    def acts(self) -> bool:
        """It can stop or change text, so in a stream its verdict comes before the text does."""
        return self.action >= Action.REWRITE or self.marks

    @property
    def marks(self) -> bool:
        """It puts notes within the text."""
        return bool(self.uses) and any(note.within for _, note in self.flags)


def _always(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Asked:
    """Why a pattern row is in a scanner: rule and detector kind."""

    rule: PlannedRule
    kind: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """A scanner, and for each row of the plan who asked for it: nobody, where the scanner does not look for it."""

    scanner: Scanner
    asked: tuple[tuple[Asked, ...], ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What looks at the segments of one side, role and kind.

    `patterns` are all rows, for whole texts. In a stream, `acting` rows hold it until they are decided, `watching` rows
    only report. `windowed` and `whole` are (rule, use) pairs of detectors that are code, by stream class; pattern rows
    of rules that hold the whole answer are in `watching`.
    """

    rules: tuple[PlannedRule, ...]
    patterns: Sweep | None
    acting: Sweep | None
    watching: Sweep | None
    windowed: tuple[tuple[PlannedRule, Use], ...]
    whole: tuple[tuple[PlannedRule, Use], ...]
    holds: bool
    names: tuple[str, ...]

    def unsampled(self, exchange: Exchange) -> list[str]:
        """The detectors that leave this exchange alone, because they look at a share of them only."""
        return [use.kind for _, use in self.whole if not getattr(use.detector, "looks_at", _always)(exchange.id)]

    def among(self, active: Container[str]) -> tuple[str, ...]:
        """The detectors of those rules that are in `active`."""
        if all(rule.id in active for rule in self.rules):
            return self.names
        return tuple(sorted({use.kind for rule in self.rules if rule.id in active for use in rule.uses}))


@dataclass(frozen=True, slots=True)
class SidePlan:
    """The rules of one side. `looks` by (role, kind); a missing key means that no rule admits such a text."""

    side: Side
    rules: tuple[PlannedRule, ...]
    looks: Mapping[tuple[Role, Kind], Look]

    scoped: bool = False
    """Some rule does not take part in all exchanges."""

    def look(self, role: Role, kind: Kind) -> Look | None:
        return self.looks.get((role, kind))

    def rules_for(self, exchange: Exchange) -> tuple[PlannedRule, ...]:
        """The rules that take part in an exchange."""
        if not self.scoped:
            return self.rules
        return tuple(rule for rule in self.rules if rule.scope is None or rule.scope.holds(exchange))

    def active_for(self, exchange: Exchange) -> frozenset[str] | None:
        """Their ids; None for all."""
        return frozenset(rule.id for rule in self.rules_for(exchange)) if self.scoped else None


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy, compiled. `hash` names its merged content; `max_hold` and `hold_limit` are in characters; `deadline`
    in seconds, for all detectors of one side together; `flag_wait` likewise, for what is only said after a stream; `models` as ``name@revision``; `canary` names the rule that wants a
    canary in the system's text, if there is one; `logprobs` those on answers that read token log probabilities."""

    policy: str
    hash: str
    prompt: SidePlan
    completion: SidePlan
    unknown: Judgement
    unguarded: Unguarded
    max_hold: int
    hold_limit: int
    deadline: float
    flag_wait: float = 0.5
    models: tuple[str, ...] = ()
    unseen: Judgement = "allow"
    sources: tuple[str, ...] = field(default=())
    surfaces: Mapping[str, Unguarded] = field(default_factory=dict)
    """What `unguarded` says of surfaces that it names."""
    canary: str = ""
    principles: Mapping[str, str] = field(default_factory=dict)
    """Id → text."""
    judged: bool = False
    """A rule asks a judge."""
    logprobs: frozenset[str] = frozenset()
    commit: str = ""
    """Of the checkout that the policy's files are in, where that is known."""
    overlays: Overlays | None = None
    overlaid: tuple[str, ...] = ()
    """The overlays under which this one was made, in the order in which they were laid."""

    def chosen(self, exchange: Exchange) -> Plan:
        """The plan for an exchange: this one, or the one under the overlays that cover it. Raises PolicyError where these
        contradict each other, which is known at load for the first combinations, and for others when they are met."""
        return self if self.overlays is None else self.overlays.plan_for(exchange) or self

    @property
    def every(self) -> tuple[Plan, ...]:
        """This one, and those under overlays that are made by now."""
        return (self,) if self.overlays is None else (self, *self.overlays.made)

    def at_commit(self, commit: str) -> Plan:
        """This plan and those under overlays, told the commit of their files."""
        overlays = self.overlays.at_commit(commit) if self.overlays is not None else None
        return replace(self, commit=commit, overlays=overlays)

    def ready(self) -> None:
        """Compile what only streams need now, and not at the first of them."""
        for look in (look for plan in self.every for look in plan.completion.looks.values()):
            for sweep in (look.acting, look.watching):
                if sweep is not None:
                    sweep.scanner.ready()

    @property
    def notes(self) -> bool:
        """Some rule puts notes into answers."""
        rules = (*self.prompt.rules, *self.completion.rules)
        return any(note.form != "metadata" for rule in rules for _, note in rule.flags)

    def forwards(self, surfaces: Iterable[str]) -> bool:
        """Whether what no lens reads is forwarded, unread: a path that is of these surfaces."""
        return all(self.surfaces.get(surface, self.unguarded) == "allow" for surface in surfaces)

    @property
    def masks(self) -> bool:
        """Some rule makes hashes or pseudonyms, which need a key."""
        rewrites = (rule.rewrite for side in (self.prompt, self.completion) for rule in side.rules)
        return any(rewrite is not None and rewrite.mode in ("hash", "pseudonym") for rewrite in rewrites)

    def side(self, side: Side) -> SidePlan:
        return self.prompt if side == "prompt" else self.completion


class Overlays:
    """The plans under overlays: one for each combination that holds together, made once. `make` compiles one; it raises
    PolicyError."""

    def __init__(self, scopes: Sequence[tuple[str, Scope]], make: Callable[[tuple[str, ...]], Plan]) -> None:
        self.scopes = tuple(scopes)
        self._make = make
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._wrong: dict[tuple[str, ...], PolicyError] = {}
        self._commit = ""

    @property
    def made(self) -> tuple[Plan, ...]:
        return tuple(self._plans.values())

    def holding(self, exchange: Exchange) -> tuple[str, ...]:
        """The ids of the overlays that cover an exchange, in the order of the policy."""
        return tuple(name for name, scope in self.scopes if scope.holds(exchange))

    def plan_for(self, exchange: Exchange) -> Plan | None:
        """None where no overlay covers it. Raises PolicyError."""
        holding = self.holding(exchange)
        if not holding:
            return None
        return self.plan_for_ids(holding)

    def plan_for_ids(self, ids: tuple[str, ...]) -> Plan:
        """The plan under these overlays. Raises PolicyError."""
        return self._plans.get(ids) or self.plan_under(ids)

    def plan_under(self, ids: tuple[str, ...]) -> Plan:
        """The same, compiled now; one that is wrong is compiled once."""
        if ids in self._wrong:
            raise self._wrong[ids]
        try:
            made = replace(self._make(ids), overlaid=ids, commit=self._commit)
        except PolicyError as error:
            self._wrong[ids] = error
            raise
        if len(self._plans) >= MOST_PLANS:
            del self._plans[next(iter(self._plans))]
        self._plans[ids] = made
        return made

    def at_commit(self, commit: str) -> Overlays:
        told = Overlays(self.scopes, self._make)
        told._commit = commit
        told._plans = {ids: replace(plan, commit=commit) for ids, plan in self._plans.items()}
        told._wrong = dict(self._wrong)
        return told


def request_facts(exchange: Exchange, side: Side) -> dict[str, object]:
    """What `request.*` shows to a condition."""
    subject = exchange.subject
    return {
        "model": subject.model,
        "user": subject.user,
        "tags": list(subject.tags),
        "tenant": subject.tenant,
        "country": subject.country,
        "language": subject.language,
        "stream": exchange.stream,
        "side": side,
        "dialect": exchange.dialect,
    }
