"""How spans and metrics leave: OpenTelemetry's own environment variables, its SDK and its OTLP exporter.

Everything of the SDK is imported only where the variables ask for it (extra `otel`).
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lockgate.errors import SettingsError
from lockgate.telemetry import names
from lockgate.telemetry.metrics import Metrics, Point
from lockgate.telemetry.names import Instrument
from lockgate.telemetry.spans import Evaluation, Events, Tracing

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics.export import Metric, MetricExporter, MetricsData
    from opentelemetry.sdk.resources import Resource

_log = logging.getLogger("lockgate.telemetry")

SERVICE: Final = "lockgate"
_SIGNALS = {"traces": "OTEL_TRACES_EXPORTER", "metrics": "OTEL_METRICS_EXPORTER", "logs": "OTEL_LOGS_EXPORTER"}
_ENDPOINT = re.compile("OTEL_EXPORTER_OTLP_(?:(?:TRACES|METRICS|LOGS)_)?ENDPOINT")
_OPT_IN = "gen_ai_latest_experimental"
_UNKNOWN: Final[Any] = None  # the least and the greatest value of a histogram are not kept
_CLOSE_WITHIN = 5.0  # seconds that the end of the process waits for the last export


@dataclass(frozen=True, slots=True)
class Exporters:
    """What the environment asks for. `metrics` is None where no metrics are to be exported."""

    tracing: Tracing
    metrics: MetricExporter | None = None
    resource: Resource | None = None
    interval: float = 60.0
    """Seconds between two exports of metrics."""


def configure(environment: Mapping[str, str] | None = None, *, version: str = "") -> Exporters:
    """What OpenTelemetry's variables ask for: docs/telemetry.md lists those that are read. Raises SettingsError.

    `environment` is for the choice of exporters; the SDK itself reads the process's own.
    """
    variables = os.environ if environment is None else environment
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Exporters(Tracing())
    chosen = {signal: _chosen(variables, variable) for signal, variable in _SIGNALS.items()}
    opted = variables.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")
    if not chosen["traces"] or _OPT_IN not in (word.strip() for word in opted):
        chosen["logs"] = ""  # there are no events but those of a trace, and these stand on its spans
    if not any(chosen.values()):
        if ends := [name for name in sorted(variables) if _ENDPOINT.fullmatch(name) and variables[name]]:
            _log.warning("%s is set, but nothing is exported: set OTEL_TRACES_EXPORTER=otlp or the like", ends[0])
        return Exporters(Tracing())
    for signal, name in chosen.items():
        if name == "otlp":
            _protocol(variables, signal)
    interval = _interval(variables)
    try:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(f"{_first(chosen)} is set: install lockgate[otel]") from None
    resource = _resource(variables, version)
    tracing = Tracing()
    if chosen["traces"]:
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(BatchSpanProcessor(_span_exporter(chosen["traces"])))
        events = _events(chosen["logs"], resource, version) if chosen["logs"] else None
        tracing = Tracing(provider.get_tracer(names.SCOPE, version), events)
    metrics = _metric_exporter(chosen["metrics"]) if chosen["metrics"] else None
    return Exporters(tracing, metrics, resource, interval)


def _first(chosen: Mapping[str, str]) -> str:
    return next(_SIGNALS[signal] for signal, name in chosen.items() if name)


def _chosen(variables: Mapping[str, str], variable: str) -> str:
    name = variables.get(variable, "none").strip().lower()
    if name in ("", "none"):
        return ""
    if name == "prometheus" and variable == "OTEL_METRICS_EXPORTER":
        raise SettingsError(f"{variable} is 'prometheus': give an admin port instead, with --admin-port")
    if name not in ("console", "otlp"):
        raise SettingsError(f"{variable} is {name!r}: write none, console or otlp")
    return name


def _protocol(variables: Mapping[str, str], signal: str) -> None:
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = variables.get(variable, "").strip()
        if protocol:
            if protocol != "http/protobuf":
                raise SettingsError(f"{variable} is {protocol!r}: only http/protobuf is spoken here")
            return


def _interval(variables: Mapping[str, str]) -> float:
    raw = variables.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip() or "60000"
    if not raw.isdecimal() or int(raw) == 0:
        raise SettingsError(f"OTEL_METRIC_EXPORT_INTERVAL is {raw!r}: write milliseconds, as in 60000")
    return int(raw) / 1000


def _resource(variables: Mapping[str, str], version: str) -> Resource:
    from opentelemetry.sdk.resources import Resource

    given = {"service.instance.id": str(uuid.uuid4())}
    if version:
        given["service.version"] = version
    if not variables.get("OTEL_SERVICE_NAME") and "service.name=" not in variables.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        given["service.name"] = SERVICE
    return Resource.create(given)


def _span_exporter(name: str) -> Any:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise _no_otlp("OTEL_TRACES_EXPORTER") from None
    return OTLPSpanExporter()


def _events(name: str, resource: Resource, version: str) -> Events:
    """Events as records of a log, each in the context of its span, which is how the newest conventions have them."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(BatchLogRecordProcessor(_log_exporter(name)))
    logger = provider.get_logger(names.SCOPE, version)

    def emit(event: str, attributes: Evaluation, context: Context) -> None:
        logger.emit(event_name=event, attributes=attributes, context=context)

    return emit


def _log_exporter(name: str) -> Any:
    if name == "console":
        from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter

        return ConsoleLogRecordExporter()
    try:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    except ImportError:
        raise _no_otlp("OTEL_LOGS_EXPORTER") from None
    return OTLPLogExporter()


def _metric_exporter(name: str) -> MetricExporter:
    if name == "console":
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

        return ConsoleMetricExporter()
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    except ImportError:
        raise _no_otlp("OTEL_METRICS_EXPORTER") from None
    return OTLPMetricExporter()


def _no_otlp(variable: str) -> SettingsError:
    return SettingsError(f"{variable} is otlp: install opentelemetry-exporter-otlp-proto-http")


class Periodic:
    """Exports metrics every `interval` seconds from a thread of its own, and once more at the end."""

    def __init__(self, metrics: Metrics, exporters: Exporters) -> None:
        assert exporters.metrics is not None
        self._metrics = metrics
        self._exporter = exporters.metrics
        self._resource = exporters.resource
        self._interval = exporters.interval
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="lockgate-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Export a last time, within a few seconds."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_WITHIN)
            self._thread = None

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._ending.wait(self._interval)
            try:
                self._exporter.export(as_otel(self._metrics, self._resource))
            except Exception as error:  # noqa: BLE001 - what can't be exported now is in the next export
                _log.warning("metrics could not be exported: %s", type(error).__name__)
        self._exporter.shutdown()


def as_otel(metrics: Metrics, resource: Resource | None) -> MetricsData:
    """The metrics as the SDK's values: sums and histograms since the start (cumulative), gauges as they are."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    now = time.time_ns()
    shown = [_metric(instrument, points, metrics.began, now) for instrument, points in metrics.collect()]
    scope = ScopeMetrics(InstrumentationScope(names.SCOPE), shown, "")
    return MetricsData([ResourceMetrics(resource or Resource({}), [scope], "")])


def _metric(instrument: Instrument, points: Iterable[Point], began: int, now: int) -> Metric:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Histogram,
        HistogramDataPoint,
        Metric,
        NumberDataPoint,
        Sum,
    )

    cumulative = AggregationTemporality.CUMULATIVE
    data: Sum | Gauge | Histogram
    if instrument.kind == "histogram":
        data = Histogram(
            [
                HistogramDataPoint(
                    _attributes(instrument, point), began, now, sum(point.counts), point.value, point.counts,
                    instrument.bounds, _UNKNOWN, _UNKNOWN,
                )
                for point in points
            ],
            cumulative,
        )  # fmt: skip
    else:
        numbers = [NumberDataPoint(_attributes(instrument, point), began, now, point.value) for point in points]
        data = Sum(numbers, cumulative, is_monotonic=True) if instrument.kind == "counter" else Gauge(numbers)
    return Metric(instrument.name, instrument.help, instrument.unit, data)


def _attributes(instrument: Instrument, point: Point) -> dict[str, str | int]:
    named = zip(instrument.labels, point.labels, strict=True)
    return {label: int(value) if label == names.PORT else value for label, value in named if value}
