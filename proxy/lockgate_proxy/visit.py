"""One exchange on its way through the proxy, and what all of them share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from traceback import extract_tb
from typing import Any

from lockgate.audit import Audit, Line
from lockgate.detectors.judging import JUDGES
from lockgate.exchange import Side
from lockgate.masks import PROCESS, Masker
from lockgate.passage import Passage
from lockgate.policy.plan import Plan
from lockgate.telemetry.metrics import Metrics
from lockgate.telemetry.spans import Tracing
from lockgate.verdict import Verdict
from lockgate_proxy.admit import Send, Server
from lockgate_proxy.headers import Headers
from lockgate_proxy.logprobs import Logprobs, Unable
from lockgate_proxy.observe import Peer, Seen
from lockgate_proxy.problems import Problem
from lockgate_proxy.settings import Settings
from lockgate_proxy.upstream import Upstream

_log = logging.getLogger("lockgate.proxy")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, by the key that came with the request: its tenant, its tags, its id. Nobody, where no key is needed."""

    tenant: str = ""
    tags: tuple[str, ...] = ()
    key: str = ""


@dataclass(slots=True)
class Context:
    """What every exchange of a running proxy shares; with client keys, every exchange of one key."""

    settings: Settings
    plan: Plan
    upstream: Upstream
    tracing: Tracing
    audit: Audit | None = None
    metrics: Metrics | None = None
    peer: Peer = field(default_factory=Peer)
    counts: dict[str, int] = field(default_factory=dict)
    caller: Caller = field(default_factory=Caller)
    masker: Masker = PROCESS
    unable: Unable = field(default_factory=Unable)
    on_verdict: Callable[[Verdict], object] | None = None  # told of an exchange's verdicts when it is over

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by

    def readiness(self) -> dict[str, Any]:
        """What `/readyz` says."""
        return {
            "status": "ready",
            "policy": self.plan.policy,
            "policy_hash": self.plan.hash,
            **({"policy_commit": self.plan.commit} if self.plan.commit else {}),
            "audit_lines_lost": self.audit.dropped if self.audit is not None else 0,
            "counts": self.counts,
            **({"judge": JUDGES.current.counts} if JUDGES.current is not None else {}),
        }


@dataclass(slots=True)
class Visit:
    """One exchange on its way. `status` and `outcome` are filled in as it goes, for the audit."""

    context: Context
    send: Send
    id: str
    path: str
    passage: Passage | None = None
    status: int = 0
    outcome: str = "error"
    error: str = ""
    started: bool = False
    failed_open: int = 0
    unverified: int = 0
    timings: dict[str, float] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    seen: Seen | None = None
    surface: str = ""  # what nobody reads here, by its name in a policy
    logprobs: Logprobs | None = None  # where a rule reads them
    server: Server | None = None  # ours, which sends a whole answer at once

    @property
    def plan(self) -> Plan:
        """The policy of this exchange: once it is read, under the overlays that cover it."""
        return self.passage.plan if self.passage is not None else self.context.plan

    def own_headers(self, verdict: Verdict | None) -> Headers:
        """`x-lockgate-*`: ids and words of ours only, never text."""
        plan = self.plan
        headers = [
            (b"x-lockgate-id", self.id.encode()),
            (b"x-lockgate-policy", _policy(plan.policy, plan.hash)),
            (b"x-lockgate-action", (verdict.action.word if verdict is not None else "none").encode()),
        ]
        if plan.commit:
            headers.append((b"x-lockgate-commit", plan.commit.encode()))
        if plan.overlaid:
            headers.append((b"x-lockgate-overlays", ", ".join(plan.overlaid).encode()))
        if verdict is not None and verdict.rules and verdict.deciding:
            headers.append((b"x-lockgate-rule", verdict.deciding.encode()))
        if self.passage is not None and self.passage.verdicts:
            headers.append((b"x-lockgate-coverage", _coverage(self.passage.verdicts)))
            flags = [flag.name for one in self.passage.verdicts.values() for flag in one.flags]
            if flags:
                headers.append((b"x-lockgate-flags", ", ".join(dict.fromkeys(flags)).encode()))
        if self.failed_open:
            headers.append((b"x-lockgate-failed-open", str(self.failed_open).encode()))
        if self.unverified:
            headers.append((b"x-lockgate-unverified", str(self.unverified).encode()))
        return headers

    def note(self, verdict: Verdict | None = None) -> dict[str, Any]:
        """The `lockgate` object of an answer."""
        shown: dict[str, Any] = {"id": self.id, "policy": self.plan.policy}
        if verdict is not None:
            shown["action"] = verdict.action.word
            shown["rules"] = verdict.applied
            shown |= verdict.told
        return shown

    def left(self) -> None:
        """The client has left, and what was under way for it is cancelled."""
        if self.outcome == "error":
            self.outcome = "cancelled" if self.started else "client_gone"

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.started = True
        if self.server is not None:
            await self.server.respond(status, headers, body)
            return
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, problem: Problem, verdict: Verdict | None = None) -> None:
        self.error = str(problem.error.get("code") or "")
        await self.respond(problem.status, [*problem.headers, *self.own_headers(verdict)], problem.body)


@lru_cache(64)
def _policy(name: str, hash_: str) -> bytes:
    return f"{name}@{hash_}".encode("ascii", "replace")


def _coverage(verdicts: Mapping[Side, Verdict]) -> bytes:
    """What was looked at on each side that is known by now, in counts: a list of structured fields (RFC 9651)."""
    sides = ((side, verdict.coverage.counts()) for side, verdict in verdicts.items())
    return ", ".join(
        ";".join([side, *(f"{word}={count}" for word, count in counts.items())]) for side, counts in sides
    ).encode("ascii")


def report(visit: Visit, error: Exception) -> None:
    """Log an error of ours by its type and the places it passed. Its message is left out: it may quote the exchange."""
    visit.outcome = "internal_error"
    visit.context.count("internal_error")
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(extract_tb(error.__traceback__)))
    _log.error("exchange %s failed: %s in %s", visit.id, type(error).__name__, places)


def account(visit: Visit, verdict: Verdict) -> None:
    """Count what a verdict says of the guard itself, and log each use of a fail-open rule."""
    context = visit.context
    if verdict.failed_open:
        visit.failed_open += verdict.failed_open
        context.count("failed_open", verdict.failed_open)
        rules = ", ".join(
            sorted({f.rule for f in verdict.failures if f.on_error == "allow" and f.reason != "unverified"})
        )
        _log.warning("failed open on the %s side: %s", verdict.side, rules)
    if verdict.unverified:
        visit.unverified += verdict.unverified
        context.count("unverified", verdict.unverified)
    if verdict.coverage.unread:
        context.count("unread", verdict.coverage.unread)


def remember(visit: Visit) -> None:
    """Telemetry, the verdicts to whoever asked for them, and the audit line, after the last byte."""
    context = visit.context
    if visit.seen is not None:
        visit.seen.end(visit)
    if context.on_verdict is not None and visit.passage is not None:
        for verdict in visit.passage.verdicts.values():
            context.on_verdict(verdict)
    if context.audit is None:
        return
    line = Line(
        id=visit.id,
        path=visit.path,
        status=visit.status,
        outcome=visit.outcome,
        error=visit.error,
        policy=visit.plan.policy,
        policy_hash=visit.plan.hash,
        policy_commit=visit.plan.commit,
        overlays=visit.plan.overlaid,
        tenant=context.caller.tenant,
        key=context.caller.key,
        timings=visit.timings,
        marks=visit.marks,
        surface=visit.surface,
    )
    passage = visit.passage
    if passage is not None:
        exchange = passage.exchange
        line.dialect = exchange.dialect
        line.model = exchange.subject.model
        line.tags = exchange.subject.tags
        line.stream = exchange.stream
        line.verdicts = passage.verdicts
        line.texts = [*exchange.prompt, *exchange.completion]
    context.audit.write(line)
