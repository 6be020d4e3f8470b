"""What was found, what is done about it, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

from lockgate.coverage import LISTED, Coverage
from lockgate.exchange import Side
from lockgate.notes import Note


class Action(IntEnum):
    """What happens to the exchange, mildest first. The maximum stands for the whole, in reports only."""

    ALLOW = 0
    FLAG = 1
    REWRITE = 2
    REFUSE = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(slots=True)
class Finding:
    """One thing a detector saw. It holds no text: `where` and `span` point to it.

    `score` is 0..1. `span` is (start, end) in code points of the segment's original text, or None when the finding
    is about the whole text. `rule` is the rule whose `use:` asked.
    """

    detector: str
    label: str
    score: float
    where: str
    span: tuple[int, int] | None = None
    rule: str = ""
    choice: int | None = None


Reason = Literal[
    "timeout",
    "crash",
    "overload",
    "too_wide",
    "overflow",
    "condition",
    "uneditable",
    "unfit",
    "straddles",
    "unverified",
]


@dataclass(frozen=True, slots=True)
class Failure:
    """A detector or a condition that gave no answer. A value, not an exception: the rule's `on_error` decides; of an
    `unverified` text, of which the detector can't say anything, its `on_unverified`, which stands here then."""

    detector: str
    reason: Reason
    where: str = ""
    rule: str = ""
    choice: int | None = None
    on_error: Literal["refuse", "flag", "allow"] = "refuse"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `span` of the text at `where` by `replacement`. Offsets in code points of the original text.

    Of united edits, `found` is the span of the one whose replacement stands, None where that is `span` itself, and
    `parts` are all that they were made of. `text` is what the edit takes out, as far as it matters; `make` gives the
    replacement of such a text; `restores` says that the replacement may be put back in the answer.
    """

    where: str
    span: tuple[int, int]
    replacement: str
    rule: str = ""
    priority: int = 0
    found: tuple[int, int] | None = None
    kind: tuple[str, str] = field(default=("", ""), compare=False)  # detector, label
    text: str = field(default="", compare=False, repr=False)
    make: Callable[[str], str] | None = field(default=None, compare=False, repr=False)
    restores: bool = field(default=False, compare=False)
    parts: tuple[Edit, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Flag:
    """A word for the answer's reader: `name` (``uncertainty``, ``notice``, …), `text`, and the rule that set it.

    `note` says how it is given, None where the guard speaks of itself. `findings` are what is behind it; once the answer
    is whole, their spans are those of the text as it was delivered.
    """

    name: str
    text: str
    rule: str
    choice: int | None = None
    note: Note | None = field(default=None, compare=False)
    findings: tuple[Finding, ...] = field(default=(), compare=False)

    def public(self, place: Callable[[str], str] = str) -> dict[str, Any]:
        shown: dict[str, Any] = {"name": self.name, "text": self.text, "rule": self.rule}
        if self.choice is not None:
            shown["choice"] = self.choice
        if self.findings and self.note is not None and not self.note.bare:
            shown["findings"] = [
                {"label": f.label, "score": f.score, "where": place(f.where), "span": list(f.span) if f.span else None}
                for f in self.findings[:LISTED]
            ]
        return shown


@dataclass(slots=True)
class RuleOutcome:
    """How one rule ended: `applied`, `permitted` (removed by `by`), `overruled` (it permits what `by` acts on, which outranks
    it), or `failed`; of a rule in shadow, `shadow` (it would have applied, with `action`) or `shadow_failed`."""

    rule: str
    action: Action
    outcome: Literal["applied", "permitted", "overruled", "failed", "shadow", "shadow_failed"]
    principle: str = ""
    by: str = ""
    choice: int | None = None


@dataclass(slots=True)
class Verdict:
    """What is done with one side of an exchange, and why.

    `message` and `status` are the winning refusal's (a prompt's refusal is a 400, or a 200 in the answer's shape).
    `timings` are seconds by station. `where` is the pointer of the text that caused the refusal, `by` the rule, `found` the
    kinds of things that it found, where they may be told.
    """

    side: Side
    policy: str
    policy_hash: str
    action: Action = Action.ALLOW
    rules: list[RuleOutcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    timings: dict[str, float] = field(default_factory=dict)
    message: str = ""
    status: int = 400
    where: str = ""
    by: str = ""
    found: tuple[str, ...] = ()
    unavailable: bool = False
    failed_open: int = 0
    unverified: int = 0
    models: tuple[str, ...] = ()
    commit: str = ""
    """Of the policy's files, where they are in a git checkout."""
    overlays: tuple[str, ...] = ()
    """Ids of those that covered the exchange, in the order in which they were laid."""
    refused_choices: dict[int, str] = field(default_factory=dict)
    revised: tuple[str, ...] = ()
    """Pointers of the texts that a model wrote anew."""

    @property
    def applied(self) -> list[str]:
        """Ids of the rules that applied, strongest action first, then as in the policy."""
        if not self.rules:
            return []
        hits = [r for r in self.rules if r.outcome == "applied"]
        return list(dict.fromkeys(r.rule for r in sorted(hits, key=lambda r: -r.action)))

    @property
    def deciding(self) -> str:
        """The rule to name in a header: the strongest that applied, or the one whose guard failed; "" if none."""
        for rule in self.applied:
            return rule
        return next((r.rule for r in self.rules if r.outcome == "failed"), "")

    @property
    def told(self) -> dict[str, Any]:
        """What a refusal tells of what was found."""
        return {"found": list(self.found)} if self.found else {}

    def public(self, place: Callable[[str], str] = str) -> dict[str, Any]:
        """As JSON-ready values, without any text of the exchange. `place` gives a pointer as it may be shown.

        The first `LISTED` findings, edits and failures are listed. Where there are more, ``more`` counts them.
        """
        shown: dict[str, Any] = {
            "side": self.side,
            "action": self.action.word,
            "policy": self.policy,
            "policy_hash": self.policy_hash,
            **({"policy_commit": self.commit} if self.commit else {}),
            **({"overlays": list(self.overlays)} if self.overlays else {}),
            "rules": [_rule(r) for r in self.rules],
            "findings": [_finding(f, place) for f in self.findings[:LISTED]],
            "edits": [{"where": place(e.where), "span": list(e.span), "rule": e.rule} for e in self.edits[:LISTED]],
            "flags": [f.public(place) for f in self.flags],
            "failures": [_failure(f, place) for f in self.failures[:LISTED]],
            "failed_open": self.failed_open,
            "unverified": self.unverified,
            "models": list(self.models),
            **({"revised": [place(where) for where in self.revised]} if self.revised else {}),
            "coverage": self.coverage.public(place),
        }
        more = {
            "findings": Counter(f"{f.rule}: {f.label}" for f in self.findings[LISTED:]),
            "edits": Counter(e.rule for e in self.edits[LISTED:]),
            "failures": Counter(f"{f.rule}: {f.reason}" for f in self.failures[LISTED:]),
        }
        if any(more.values()):
            shown["more"] = {name: dict(counts) for name, counts in more.items() if counts}
        return shown


def _rule(outcome: RuleOutcome) -> dict[str, Any]:
    shown: dict[str, Any] = {"rule": outcome.rule, "action": outcome.action.word, "outcome": outcome.outcome}
    if outcome.principle:
        shown["principle"] = outcome.principle
    if outcome.by:
        shown["by"] = outcome.by
    if outcome.choice is not None:
        shown["choice"] = outcome.choice
    return shown


def _finding(finding: Finding, place: Callable[[str], str]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "detector": finding.detector,
        "label": finding.label,
        "score": finding.score,
        "where": place(finding.where),
        "span": list(finding.span) if finding.span else None,
        "rule": finding.rule,
    }
    if finding.choice is not None:
        shown["choice"] = finding.choice
    return shown


def _failure(failure: Failure, place: Callable[[str], str]) -> dict[str, Any]:
    return {
        "detector": failure.detector,
        "reason": failure.reason,
        "where": place(failure.where),
        "rule": failure.rule,
        "on_error": failure.on_error,
    }


def strongest(actions: Sequence[Action]) -> Action:
    return max(actions, default=Action.ALLOW)
