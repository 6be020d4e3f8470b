"""Spans: of an exchange, of its stations, and of the call to the model. No attribute ever holds text of an exchange.

Spans are made only where a tracer is configured. Without one, a station costs one attribute look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from lockgate.telemetry import names
from lockgate.telemetry.metrics import Names
from lockgate.verdict import Finding, Verdict

Attributes = Mapping[str, str | int | float | bool | tuple[str, ...]]

Evaluation = Mapping[str, str | int | float]

Events = Callable[[str, Evaluation, Context], None]
"""Takes an event: its name, its attributes, and the context of the span that it is about."""

TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})

MOST_EVENTS = 64
"""Evaluations that one verdict may put on its span."""

_LONGEST = 128  # of a client- or upstream-supplied name
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans, or nothing at all. `on` says which."""

    def __init__(self, tracer: trace.Tracer | None = None, events: Events | None = None) -> None:
        """`events` takes evaluations in place of the span that they are about."""
        self._tracer = tracer
        self._events = events
        self.on = tracer is not None
        self.models = Names()
        """Names of models that names of spans may hold."""

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[trace.Span | None]:
        """A span around a station of the exchange whose span is the current one; none where that is not sampled.

        Exceptions are recorded by type only: their messages may come from anywhere.
        """
        if self._tracer is None:
            return _NO_SPAN
        parent = trace.get_current_span()
        if parent.get_span_context().is_valid and not parent.is_recording():
            return _NO_SPAN
        return _Station(self._tracer, name, attributes)

    def begin(
        self, name: str, kind: trace.SpanKind, attributes: Attributes, parent: Context | None = None
    ) -> trace.Span | None:
        """A span that its caller ends. `parent` is a context; without one it is the current span's."""
        if self._tracer is None:
            return None
        return self._tracer.start_span(
            name,
            context=parent,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        )

    def describe(self, span: trace.Span | None, verdict: Verdict) -> None:
        """Put a verdict on its span: what was decided and why, and an evaluation for each detector's label."""
        if span is None or not span.is_recording():
            return
        describe(span, verdict)
        for attributes in evaluations(verdict):
            if self._events is None:
                span.add_event(names.EVALUATION, attributes)
            else:
                self._events(names.EVALUATION, attributes, trace.set_span_in_context(span))


_NO_SPAN: AbstractContextManager[None] = nullcontext()


class _Station:
    """A span from entry to exit. It is not made the current one, which costs more than all the rest."""

    __slots__ = ("_span",)

    def __init__(self, tracer: trace.Tracer, name: str, attributes: Attributes | None) -> None:
        self._span = tracer.start_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        )

    def __enter__(self) -> trace.Span:
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, Exception):
            self._span.set_status(trace.StatusCode.ERROR, kind.__name__)
        self._span.end()


def incoming(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """The trace that a client's headers continue, or a new one where they name none, or more than one."""
    carrier: dict[str, list[str]] = {}
    for name, value in headers:
        key = name.lower()
        if key in TRACE_HEADERS:
            carrier.setdefault(key.decode(), []).append(value.decode("latin-1"))
    if len(carrier.get("traceparent", ())) != 1:
        return Context()
    joined = {name: ",".join(values) for name, values in carrier.items()}
    return _PROPAGATOR.extract(joined, context=Context())


def outgoing(span: trace.Span) -> list[tuple[bytes, bytes]]:
    """The headers that make what is asked next a part of `span`."""
    # Written here: OpenTelemetry's propagator takes ten times as long. https://www.w3.org/TR/trace-context/
    mine = span.get_span_context()
    headers = [(b"traceparent", b"00-%032x-%016x-%02x" % (mine.trace_id, mine.span_id, mine.trace_flags & 0xFF))]
    if mine.trace_state:
        headers.append((b"tracestate", mine.trace_state.to_header().encode()))
    return headers


def bounded(name: str) -> str:
    """A name that somebody else chose, cut, and in characters that can be exported."""
    return name[:_LONGEST].encode("utf-8", "replace").decode()


def describe(span: trace.Span, verdict: Verdict) -> None:
    """What was decided and why, as attributes of `span`."""
    shown: dict[str, str | int | tuple[str, ...]] = {
        names.ACTION: verdict.action.word,
        names.RULES: tuple(verdict.applied),
        names.POLICY: verdict.policy,
        names.POLICY_HASH: verdict.policy_hash,
        **({names.POLICY_COMMIT: verdict.commit} if verdict.commit else {}),
        names.SCANNED: len(verdict.coverage.scanned),
    }
    if verdict.rules:
        shown[names.RULE] = verdict.deciding
        principles = dict.fromkeys(r.principle for r in verdict.rules if r.outcome == "applied" and r.principle)
        if principles:
            shown[names.PRINCIPLES] = tuple(principles)
        permitted = dict.fromkeys(f"{r.rule} by {r.by}" for r in verdict.rules if r.outcome == "permitted")
        if permitted:
            shown[names.PERMITTED] = tuple(permitted)
    if verdict.failed_open:
        shown[names.FAILED_OPEN] = verdict.failed_open
    if verdict.failures:
        shown[names.FAILURES] = tuple(dict.fromkeys(f"{f.detector}: {f.reason}" for f in verdict.failures))
    if verdict.coverage.skipped:
        shown[names.SKIPPED] = len(verdict.coverage.skipped)
        if verdict.coverage.unread:
            shown[names.UNREAD] = verdict.coverage.unread
    span.set_attributes(shown)


def evaluations(verdict: Verdict) -> list[Evaluation]:
    """What each detector's label scored, at most, by the rule that asked. `fail`: that rule applied.

    The best scores come first, `MOST_EVENTS` of them at most. No text and no position is in them.
    """
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in verdict.findings:
        groups.setdefault((finding.detector, finding.label, finding.rule), []).append(finding)
    applied = set(verdict.applied)
    shown: list[Evaluation] = [
        {
            names.EVALUATION_NAME: f"{detector}/{label}",
            names.SCORE: max(f.score for f in found),
            names.SCORE_LABEL: "fail" if rule in applied else "pass",
            names.RULE: rule,
            names.FINDINGS: len(found),
        }
        for (detector, label, rule), found in groups.items()
    ]
    shown.sort(key=lambda one: -float(one[names.SCORE]))
    return shown[:MOST_EVENTS]
