"""Spans: of an exchange, of its stations, and of the call to the model. No attribute ever holds text of an exchange.

Spans are made only where a tracer is configured. Without one, a station costs one attribute look-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from lockgate.telemetry import names
from lockgate.telemetry.metrics import Names
from lockgate.verdict import Finding, Verdict

Attributes = Mapping[str, str | int | float | bool | tuple[str, ...]]

TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})

MOST_EVENTS = 64
"""Evaluations that one verdict may put on its span."""

_LONGEST = 128  # of a client- or upstream-supplied name
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans, or nothing at all. `on` says which."""

    def __init__(self, tracer: trace.Tracer | None = None) -> None:
        self._tracer = tracer
        self.on = tracer is not None
        self.models = Names()
        """Names of models that names of spans may hold."""

    def span(
        self, name: str, attributes: Attributes | None = None
    ) -> AbstractContextManager[trace.Span | None, bool | None]:
        """A span around a station. Exceptions are recorded by type only: their messages may come from anywhere."""
        return _NO_SPAN if self._tracer is None else _span(self._tracer, name, attributes)

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


_NO_SPAN: AbstractContextManager[None] = nullcontext()


@contextmanager
def _span(tracer: trace.Tracer, name: str, attributes: Attributes | None) -> Iterator[trace.Span]:
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


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
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context=trace.set_span_in_context(span, Context()))
    return [(name.encode(), value.encode()) for name, value in carrier.items()]


def bounded(name: str) -> str:
    """A name that somebody else chose, cut, and in characters that can be exported."""
    return name[:_LONGEST].encode("utf-8", "replace").decode()


def describe(span: trace.Span | None, verdict: Verdict) -> None:
    """Put a verdict on its span: what was decided and why, and an evaluation for each detector's label."""
    if span is None or not span.is_recording():
        return
    span.set_attribute(names.ACTION, verdict.action.word)
    span.set_attribute(names.RULES, tuple(verdict.applied))
    span.set_attribute(names.POLICY, verdict.policy)
    span.set_attribute(names.POLICY_HASH, verdict.policy_hash)
    if verdict.deciding:
        span.set_attribute(names.RULE, verdict.deciding)
    applied = dict.fromkeys(r.principle for r in verdict.rules if r.outcome == "applied" and r.principle)
    if applied:
        span.set_attribute(names.PRINCIPLES, tuple(applied))
    permitted = dict.fromkeys(f"{r.rule} by {r.by}" for r in verdict.rules if r.outcome == "permitted")
    if permitted:
        span.set_attribute(names.PERMITTED, tuple(permitted))
    if verdict.failed_open:
        span.set_attribute(names.FAILED_OPEN, verdict.failed_open)
    if verdict.failures:
        span.set_attribute(names.FAILURES, tuple(dict.fromkeys(f"{f.detector}: {f.reason}" for f in verdict.failures)))
    coverage = verdict.coverage
    span.set_attribute(names.SCANNED, len(coverage.scanned))
    if coverage.skipped:
        span.set_attribute(names.SKIPPED, len(coverage.skipped))
        if coverage.unread:
            span.set_attribute(names.UNREAD, coverage.unread)
    for attributes in evaluations(verdict):
        span.add_event(names.EVALUATION, attributes)


def evaluations(verdict: Verdict) -> list[dict[str, str | int | float]]:
    """What each detector's label scored, at most, by the rule that asked. `fail`: that rule applied.

    The best scores come first, `MOST_EVENTS` of them at most. No text and no position is in them.
    """
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in verdict.findings:
        groups.setdefault((finding.detector, finding.label, finding.rule), []).append(finding)
    applied = set(verdict.applied)
    shown: list[dict[str, str | int | float]] = [
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
