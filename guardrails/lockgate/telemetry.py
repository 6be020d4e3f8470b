"""Every name that telemetry uses, and the spans of the stations.

Spans are made only where a tracer is configured: by the host application's own OpenTelemetry set-up, or by
`configure()`. Without one, a station costs one attribute look-up. No attribute ever holds text of an exchange.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from opentelemetry import trace

from lockgate.errors import SettingsError
from lockgate.verdict import Verdict

SCOPE: Final = "lockgate"

# Stations, as in docs/architecture.md.
EXCHANGE: Final = "lockgate.exchange"
ADMIT: Final = "lockgate.admit"
PROMPT: Final = "lockgate.prompt"
FORWARD: Final = "lockgate.forward"
ANSWER: Final = "lockgate.answer"

# Attributes.
ID: Final = "lockgate.id"
ACTION: Final = "lockgate.action"
RULES: Final = "lockgate.rules"
POLICY: Final = "lockgate.policy.name"
POLICY_HASH: Final = "lockgate.policy.hash"
FAILED_OPEN: Final = "lockgate.failed_open"
OPERATION: Final = "gen_ai.operation.name"
MODEL: Final = "gen_ai.request.model"
STATUS: Final = "http.response.status_code"

_LONGEST = 128  # of a client-supplied name

Attributes = Mapping[str, str | int | float | bool | tuple[str, ...]]


class Tracing:
    """Makes spans, or nothing at all. `on` says which."""

    def __init__(self, tracer: trace.Tracer | None = None) -> None:
        self._tracer = tracer
        self.on = tracer is not None

    def span(
        self, name: str, attributes: Attributes | None = None
    ) -> AbstractContextManager[trace.Span | None, bool | None]:
        """A span around a station. Exceptions are recorded by type only: their messages may come from anywhere."""
        return _NO_SPAN if self._tracer is None else _span(self._tracer, name, attributes)


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


def describe(span: trace.Span | None, verdict: Verdict) -> None:
    """Put a verdict on its span."""
    if span is None:
        return
    span.set_attribute(ACTION, verdict.action.word)
    span.set_attribute(RULES, tuple(verdict.applied))
    span.set_attribute(POLICY, verdict.policy)
    span.set_attribute(POLICY_HASH, verdict.policy_hash)
    if verdict.failed_open:
        span.set_attribute(FAILED_OPEN, verdict.failed_open)


def finish(span: trace.Span | None, status: int, model: str) -> None:
    """Put on an exchange's span how it ended: `status` is 0 if no answer began. `model` is what the client called it."""
    if span is None:
        return
    if status:
        span.set_attribute(STATUS, status)
    if status >= 500:
        span.set_status(trace.StatusCode.ERROR)
    if model:
        span.set_attribute(MODEL, model[:_LONGEST].encode("utf-8", "replace").decode())


def configure(environment: Mapping[str, str] | None = None) -> Tracing:
    """Tracing as OpenTelemetry's own variables say.

    ``OTEL_TRACES_EXPORTER`` is ``none`` (or unset), ``console`` or ``otlp``; the latter needs the package
    opentelemetry-exporter-otlp-proto-http and reads ``OTEL_EXPORTER_OTLP_ENDPOINT``. Raises SettingsError.
    """
    variables = os.environ if environment is None else environment
    name = variables.get("OTEL_TRACES_EXPORTER", "none").strip().lower()
    if name in ("", "none"):
        return Tracing()
    try:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError("OTEL_TRACES_EXPORTER is set: install lockgate[otel]") from None
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_exporter(name)))
    return Tracing(provider.get_tracer(SCOPE))


def _exporter(name: str) -> Any:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if name == "otlp":
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            raise SettingsError(
                "OTEL_TRACES_EXPORTER is otlp: install opentelemetry-exporter-otlp-proto-http"
            ) from None
        return OTLPSpanExporter()
    raise SettingsError(f"OTEL_TRACES_EXPORTER is {name!r}: write none, console or otlp")
