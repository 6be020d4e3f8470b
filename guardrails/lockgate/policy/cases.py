"""Runs policy tests: the cases of a suite, through the engine that serves.

FAIL says that the policy does something else than expected; ERROR that the case could not be run. An empty suite
fails, and so does a streamed case whose answer differs from that of the whole text.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lockgate.engine import Engine, Pin
from lockgate.errors import GuardUnavailable, LockgateError, PolicyError, Refused
from lockgate.exchange import Exchange, Reading
from lockgate.ids import new_id
from lockgate.masks import Masker
from lockgate.passage import Passage
from lockgate.pieces import Pieces
from lockgate.policy.nearest import suggest
from lockgate.policy.plan import Plan, PlannedRule
from lockgate.policy.suite import Case, Suite, ToolCall, subject_of
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
    """`uncovered` are the rules that applied in no case, and the overlays that covered none; `parts` is how many rules and
    overlays there are."""

    cases: tuple[CaseResult, ...]
    uncovered: tuple[str, ...]
    parts: int = 0

    @property
    def passed(self) -> bool:
        return bool(self.cases) and all(case.status == "PASS" for case in self.cases)


@dataclass(slots=True)
class _Outcome:
    """What a case's exchange came to."""

    action: Action = Action.ALLOW
    prompt: str | None = None
    completion: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    plan: Plan | None = None
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
    reached: set[tuple[str, str]] = set()
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
        reached.update(_reached(outcome))
        results.append(CaseResult(case.name, "FAIL" if problems else "PASS", tuple(problems), where))
    parts = _parts(plan)
    return SuiteResult(tuple(results), tuple(said for part, said in parts.items() if part not in reached), len(parts))


def _parts(plan: Plan) -> dict[tuple[str, str], str]:
    """What cases should reach, and how it is called: the rules of the policy, its overlays, and what these change."""
    parts = {(rule.id, rule.where): rule.id for rule in _rules(plan)}
    for name, _ in plan.overlays.scopes if plan.overlays is not None else ():
        assert plan.overlays is not None
        parts["", name] = f"overlay {name}"
        for rule in _rules(plan.overlays.plan_under((name,))):
            parts.setdefault((rule.id, rule.where), f"{rule.id} (overlay {name})")
    return parts


def _reached(outcome: _Outcome) -> Iterator[tuple[str, str]]:
    plan = outcome.plan
    assert plan is not None
    yield from (("", name) for name in plan.overlaid)
    applied = {*outcome.rules, *outcome.shadow}
    yield from ((rule.id, rule.where) for rule in _rules(plan) if rule.id in applied)


def _rules(plan: Plan) -> Iterator[PlannedRule]:
    yield from {rule.id: rule for side in (plan.prompt, plan.completion) for rule in side.rules}.values()


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
    exchange = Exchange(new_id(), case.route, subject_of(case), stream=streamed, given=tuple(case.context))
    outcome.plan = plan = plan.chosen(exchange)
    passage = Passage(plan, exchange, Engine(_pins(plan, case)), masker=Masker(_KEY))
    messages = _messages(case)
    if messages is not None:
        document = {"messages": messages}
        verdict = await passage.prompt(ChatLens().read_request(document))
        outcome.take(verdict)
        if _stops(verdict):
            return outcome
        outcome.prompt = only_text(edit_value(document, verdict.edits)["messages"])
    if case.tool_calls:
        await _called(passage, case, outcome)
    elif case.completion is not None:
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


def _messages(case: Case) -> list[Any] | None:
    messages: list[Any] = [dict(message) for message in case.messages or ()]
    if case.prompt is not None:
        messages = [{"role": "user", "content": case.prompt}]
    if case.documents:
        if not messages or messages[-1].get("role") != "user":
            messages.append({"role": "user", "content": []})
        said = messages[-1]["content"]
        parts = [{"type": "text", "text": said}] if isinstance(said, str) else list(said)
        messages[-1] = {**messages[-1], "content": [*parts, *map(_file, case.documents)]}
    return messages or None


def _file(text: str) -> dict[str, Any]:
    """A part of a message that is a text file."""
    data = base64.b64encode(text.encode()).decode()
    return {"type": "file", "file": {"filename": "document.txt", "file_data": f"data:text/plain;base64,{data}"}}


async def _called(passage: Passage, case: Case, outcome: _Outcome) -> None:
    """An answer with calls of tools, as an upstream sends one."""
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": call.name, "arguments": call.written}}
        for i, call in enumerate(case.tool_calls)
    ]
    message = {"role": "assistant", "content": case.completion, "tool_calls": calls}
    document = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    }
    verdict = await passage.answer(ChatLens().read_answer(document))
    outcome.take(verdict)
    if not _stops(verdict):
        said = edit_value(document, passage.edits(verdict))["choices"][0]["message"]
        outcome.completion = said["content"]
        outcome.tool_calls = [ToolCall.model_validate(_as_called(call["function"])) for call in said["tool_calls"]]


def _as_called(function: Mapping[str, Any]) -> dict[str, Any]:
    try:
        arguments = json.loads(function["arguments"])
    except ValueError:
        arguments = function["arguments"]
    return {"name": function["name"], "arguments": arguments if isinstance(arguments, dict) else function["arguments"]}


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
    if expect.overlays is not None and outcome.plan is not None:
        _differ(problems, "overlays", list(expect.overlays), list(outcome.plan.overlaid))
    if expect.tool_calls is not None:
        wanted = [
            ToolCall.model_validate(_as_called({"name": one.name, "arguments": one.written}))
            for one in expect.tool_calls
        ]
        came = [f"{one.name}({one.written})" for one in outcome.tool_calls]
        _differ(problems, "tool_calls", [f"{one.name}({one.written})" for one in wanted], came)
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
