"""Runs policy tests: the cases of a suite, through the engine that serves.

FAIL says that the policy does something else than expected; ERROR that the case could not be run. An empty suite
fails, and so does a streamed case whose answer differs from that of the whole text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lockgate.engine import Engine, Pin
from lockgate.errors import GuardUnavailable, LockgateError, PolicyError, Refused
from lockgate.exchange import Exchange, Reading, Subject
from lockgate.ids import new_id
from lockgate.masks import Masker
from lockgate.passage import Passage
from lockgate.pieces import Pieces
from lockgate.policy.nearest import suggest
from lockgate.policy.plan import Plan
from lockgate.policy.suite import Case, Suite
from lockgate.verdict import Action, Finding, Verdict
from lockgate.wire.chat import ChatLens
from lockgate.wire.values import edit_value, only_text, read_value

Status = Literal["PASS", "FAIL", "ERROR"]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went. `problems` say what was expected and what came; `where` is its file:line."""

    name: str
    status: Status
    problems: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """`uncovered` are the ids of rules that applied in no case."""

    cases: tuple[CaseResult, ...]
    uncovered: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return bool(self.cases) and all(case.status == "PASS" for case in self.cases)


@dataclass(slots=True)
class _Outcome:
    """What a case's exchange came to."""

    action: Action = Action.ALLOW
    prompt: str | None = None
    completion: str | None = None
    verdicts: list[Verdict] = field(default_factory=list)

    def take(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        self.action = max(self.action, Action.REFUSE if verdict.unavailable else verdict.action)

    @property
    def rules(self) -> list[str]:
        return sorted({rule for verdict in self.verdicts for rule in verdict.applied})

    @property
    def shadow(self) -> list[str]:
        outcomes = (outcome for verdict in self.verdicts for outcome in verdict.rules)
        return sorted({outcome.rule for outcome in outcomes if outcome.outcome == "shadow"})

    @property
    def flags(self) -> list[str]:
        return sorted({flag.name for verdict in self.verdicts for flag in verdict.flags})

    @property
    def failed(self) -> list[str]:
        return sorted({failure.detector for verdict in self.verdicts for failure in verdict.failures})


_KEY = b"policy tests"  # so that masks are the same in each run


async def run_suite(plan: Plan, suite: Suite) -> SuiteResult:
    """Run every case. Raises nothing: what goes wrong is in the result."""
    results: list[CaseResult] = []
    applied: set[str] = set()
    for i, case in enumerate(suite.cases):
        where = suite.at("cases", i)
        try:
            outcome, problems = await _run(plan, case)
        except LockgateError as error:
            results.append(CaseResult(case.name, "ERROR", (str(error),), where))
            continue
        except Exception as error:  # noqa: BLE001 - a broken case must not hide the others
            results.append(CaseResult(case.name, "ERROR", (f"{type(error).__name__}: {error}",), where))
            continue
        applied.update(outcome.rules, outcome.shadow)
        results.append(CaseResult(case.name, "FAIL" if problems else "PASS", tuple(problems), where))
    rules = dict.fromkeys(rule.id for side in (plan.prompt, plan.completion) for rule in side.rules)
    return SuiteResult(tuple(results), tuple(rule for rule in rules if rule not in applied))


async def _run(plan: Plan, case: Case) -> tuple[_Outcome, list[str]]:
    problems: list[str] = []
    outcome = await _exchange(plan, case, streamed=False)
    problems.extend(_compare(case, outcome))
    if case.chunks is not None and not any(
        verdict.side == "prompt" and _stops(verdict) for verdict in outcome.verdicts
    ):
        streamed = await _exchange(plan, case, streamed=True)
        problems.extend(f"streamed: {problem}" for problem in _compare(case, streamed))
        if streamed.action < Action.REFUSE and streamed.completion != outcome.completion:
            problems.append("the streamed answer differs from the whole one")
    return outcome, list(dict.fromkeys(problems))


def _stops(verdict: Verdict) -> bool:
    return verdict.unavailable or verdict.action is Action.REFUSE


def _pins(plan: Plan, case: Case) -> dict[str, Pin]:
    labels: dict[str, set[str]] = {}
    for rule in (*plan.prompt.rules, *plan.completion.rules):
        for use in rule.uses:
            labels.setdefault(use.kind, set()).update(use.detector.labels)
    for kind, pinned in case.pin.items():
        if kind not in labels:
            raise PolicyError(f"`pin` names {kind!r}, which no rule uses", hint=suggest(kind, labels))
        for finding in pinned.findings:
            if finding.label not in labels[kind]:
                problem = f"`pin` gives {kind!r} the label {finding.label!r}, which it never gives"
                raise PolicyError(problem, hint=suggest(finding.label, labels[kind]))
    return {
        kind: Pin(tuple((f.side, Finding(kind, f.label, f.score, "", f.span)) for f in pinned.findings), pinned.fails)
        for kind, pinned in case.pin.items()
    }


async def _exchange(plan: Plan, case: Case, *, streamed: bool) -> _Outcome:
    outcome = _Outcome()
    subject = Subject(case.model, case.user, tuple(case.tags), case.tenant, case.country, case.language)
    passage = Passage(
        plan, Exchange(new_id(), "chat", subject, stream=streamed), Engine(_pins(plan, case)), masker=Masker(_KEY)
    )
    messages: list[Any] | None = None
    if case.messages is not None:
        messages = [dict(message) for message in case.messages]
    elif case.prompt is not None:
        messages = [{"role": "user", "content": case.prompt}]
    if messages is not None:
        document = {"messages": messages}
        verdict = await passage.prompt(ChatLens().read_request(document))
        outcome.take(verdict)
        if _stops(verdict):
            return outcome
        outcome.prompt = only_text(edit_value(document, verdict.edits)["messages"])
    if case.completion is not None:
        if streamed:
            await _streamed(passage, case.chunks or (), outcome)
        else:
            reading = Reading()
            read_value(reading, "/choices/0/message/content", case.completion, "assistant", 0)
            verdict = await passage.answer(reading)
            outcome.take(verdict)
            if not _stops(verdict):
                outcome.completion = edit_value(
                    case.completion, passage.edits(verdict), base="/choices/0/message/content"
                )
    return outcome


async def _streamed(passage: Passage, chunks: Sequence[str], outcome: _Outcome) -> None:
    pieces = Pieces(passage.stream())
    out: list[str] = []
    try:
        for chunk in chunks:
            out.extend(await pieces.add(chunk))
        rest, verdict = await pieces.end()
        out.extend(rest)
        outcome.take(verdict)
        outcome.completion = "".join(out)
    except (Refused, GuardUnavailable) as stopped:
        outcome.take(stopped.verdict)


def _compare(case: Case, outcome: _Outcome) -> list[str]:
    expect = case.expect
    problems: list[str] = []
    _differ(problems, "action", expect.action, outcome.action.word)
    if expect.rules is not None:
        _differ(problems, "rules", sorted(expect.rules), outcome.rules)
    if expect.flags is not None:
        _differ(problems, "flags", sorted(expect.flags), outcome.flags)
    if expect.shadow is not None:
        _differ(problems, "shadow", sorted(expect.shadow), outcome.shadow)
    if expect.failed is not None:
        _differ(problems, "failed", sorted(expect.failed), outcome.failed)
    if expect.prompt is not None:
        _differ(problems, "prompt", expect.prompt, outcome.prompt)
    if expect.completion is not None:
        _differ(problems, "completion", expect.completion, outcome.completion)
    return problems


def _differ(problems: list[str], what: str, expected: object, came: object) -> None:
    if expected != came:
        problems.append(f"{what}: expected {expected!r}, came {came!r}")
