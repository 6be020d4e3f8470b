"""What leaves, received by a collector of OpenTelemetry's protocol on a socket."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from io import StringIO

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, MetricExportResult, MetricsData

from lockgate.errors import SettingsError
from lockgate.telemetry import names
from lockgate.telemetry.export import Exporters, Periodic, as_otel, configure
from lockgate.telemetry.metrics import Metrics, Usage
from lockgate.telemetry.spans import Tracing
from tracing import collecting


class TestWhatIsAskedFor:
    @pytest.mark.parametrize(
        "variables",
        [
            {},
            {"OTEL_TRACES_EXPORTER": ""},
            {"OTEL_TRACES_EXPORTER": " None ", "OTEL_METRICS_EXPORTER": "none"},
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "TRUE"},
        ],
    )
    def test_nothing_unless_asked_for(self, variables: dict[str, str]) -> None:
        exporters = configure(variables)
        assert not exporters.tracing.on
        assert exporters.metrics is None

    def test_the_process_environment_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
        assert not configure().tracing.on
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
        with pytest.raises(SettingsError, match="OTEL_TRACES_EXPORTER is 'zipkin': write none, console or otlp"):
            configure()

    @pytest.mark.parametrize(
        ("variables", "said"),
        [
            ({"OTEL_METRICS_EXPORTER": "statsd"}, "OTEL_METRICS_EXPORTER is 'statsd'"),
            ({"OTEL_METRICS_EXPORTER": "prometheus"}, "--admin-port"),
            (
                {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
                "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc': only http/protobuf",
            ),
            (
                {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json"},
                "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
            ),
            (
                {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "soon"},
                "OTEL_METRIC_EXPORT_INTERVAL is 'soon'",
            ),
            ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "0"}, "write milliseconds"),
        ],
    )
    def test_what_is_not_spoken_here_is_an_error(self, variables: dict[str, str], said: str) -> None:
        with pytest.raises(SettingsError, match=said):
            configure(variables)

    def test_the_signals_are_apart(self) -> None:
        variables = {
            "OTEL_METRICS_EXPORTER": "console",
            "OTEL_METRIC_EXPORT_INTERVAL": "1500",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",  # of an exporter that nobody asked for
        }
        exporters = configure(variables, version="1.2")
        assert not exporters.tracing.on
        assert exporters.metrics is not None
        assert exporters.interval == 1.5
        assert exporters.resource is not None
        assert exporters.resource.attributes["service.name"] == "lockgate"
        assert exporters.resource.attributes["service.version"] == "1.2"
        assert exporters.resource.attributes["service.instance.id"]

    def test_an_address_alone_sends_nothing_and_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        exporters = configure({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_METRICS_EXPORTER": "none"})
        assert not exporters.tracing.on
        assert exporters.metrics is None
        assert "OTEL_EXPORTER_OTLP_ENDPOINT is set, but nothing is exported" in caplog.text

    @pytest.mark.parametrize(
        "variables", [{"OTEL_SERVICE_NAME": "gate"}, {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=gate"}]
    )
    def test_the_services_name_is_the_operators(
        self, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        exporters = configure({"OTEL_METRICS_EXPORTER": "console", **variables})
        assert exporters.resource is not None
        assert exporters.resource.attributes["service.name"] == "gate"


_TRACING = """
from lockgate import Guard
from lockgate.telemetry.export import configure
from lockgate.telemetry.names import PROMPT

tracing = configure(version="1.2").tracing
assert tracing.on
with tracing.span(PROMPT) as span:
    tracing.describe(span, Guard("default").check("key: ghp_16C7e42F292c6912E7710c838347Ae178B4a"))
"""

_WITHOUT = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None  # as if it were not installed
from lockgate.errors import SettingsError
from lockgate.telemetry.export import configure
try:
    configure()
except SettingsError as error:
    print(error)
"""


def _run(program: str, *args: str, **variables: str) -> str:
    variables = {"PYTHONPATH": ":".join(sys.path), "OTEL_SERVICE_NAME": "gate", **variables}
    command = [sys.executable, "-c", program, *args]
    done = subprocess.run(command, env=variables, timeout=60, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("variable", "exporter", "missing", "said"),
    [
        ("OTEL_TRACES_EXPORTER", "otlp", "opentelemetry.exporter", "install opentelemetry-exporter-otlp-proto-http"),
        ("OTEL_METRICS_EXPORTER", "otlp", "opentelemetry.exporter", "install opentelemetry-exporter-otlp-proto-http"),
        ("OTEL_TRACES_EXPORTER", "otlp", "opentelemetry.sdk", "OTEL_TRACES_EXPORTER is set: install lockgate[otel]"),
        ("OTEL_METRICS_EXPORTER", "console", "opentelemetry.sdk", "OTEL_METRICS_EXPORTER is set: install lockgate"),
    ],
)
def test_a_missing_package_is_named(variable: str, exporter: str, missing: str, said: str) -> None:
    assert said in _run(_WITHOUT, missing, **{variable: exporter})


class TestSpans:
    def test_they_reach_the_console_before_the_process_ends(self) -> None:
        written = _run(_TRACING, OTEL_TRACES_EXPORTER="console")
        span = json.loads(written)
        assert span["name"] == "lockgate.prompt"
        assert span["attributes"]["lockgate.action"] == "rewrite"
        assert span["resource"]["attributes"]["service.name"] == "gate"
        assert "ghp_" not in written

    def test_they_are_sent_where_the_variable_says(self) -> None:
        with collecting() as collector:
            _run(_TRACING, OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
        ((path, body),) = collector.came
        assert path == "/v1/traces"
        sent = ExportTraceServiceRequest.FromString(body).resource_spans[0]
        assert {a.key: a.value.string_value for a in sent.resource.attributes}["service.version"] == "1.2"
        (span,) = sent.scope_spans[0].spans
        assert span.name == "lockgate.prompt"
        assert [event.name for event in span.events] == ["gen_ai.evaluation.result"]
        assert b"ghp_" not in body

    def test_with_the_newest_conventions_events_are_records_of_a_log(self) -> None:
        variables = {f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("TRACES", "LOGS")}
        with collecting() as collector:
            _run(
                _TRACING,
                OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
                OTEL_SEMCONV_STABILITY_OPT_IN="http, gen_ai_latest_experimental",
                **variables,
            )
        came = dict(collector.came)
        assert set(came) == {"/v1/traces", "/v1/logs"}
        (span,) = ExportTraceServiceRequest.FromString(came["/v1/traces"]).resource_spans[0].scope_spans[0].spans
        assert not span.events
        logs = ExportLogsServiceRequest.FromString(came["/v1/logs"]).resource_logs[0]
        (record,) = logs.scope_logs[0].log_records
        assert record.event_name == "gen_ai.evaluation.result"
        assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
        assert {a.key: a.value.string_value for a in record.attributes}["gen_ai.evaluation.name"].startswith("secrets/")
        assert b"ghp_" not in came["/v1/logs"]

    def test_without_them_a_log_is_not_begun(self) -> None:
        with collecting() as collector:
            _run(
                _TRACING,
                OTEL_TRACES_EXPORTER="otlp",
                OTEL_LOGS_EXPORTER="otlp",
                OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            )
        assert [path for path, _ in collector.came] == ["/v1/traces"]


class TestMetrics:
    def filled(self) -> Metrics:
        metrics = Metrics()
        metrics.ended("chat", "answered", 200, {"prompt": 0.0002, "total": 0.1})
        metrics.ended("chat", "answered", 200, {"prompt": 900.0})
        metrics.called(("chat", "openai", "m", "u", "443"), 0.5, usage=Usage(input=3))
        metrics.in_flight = 2
        return metrics

    def sent(self, body: bytes) -> dict[str, Metric]:
        (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
        (scope,) = resource.scope_metrics
        assert scope.scope.name == "lockgate"
        return {metric.name: metric for metric in scope.metrics}

    def test_they_are_sent_at_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with collecting() as collector:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
            periodic = Periodic(self.filled(), configure({"OTEL_METRICS_EXPORTER": "otlp"}))
            periodic.start()
            periodic.close()
            periodic.close()
        ((path, body),) = collector.came
        assert path == "/v1/metrics"
        shown = self.sent(body)
        exchanges = shown["lockgate.exchanges"]
        assert exchanges.sum.is_monotonic
        assert exchanges.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        (point,) = exchanges.sum.data_points
        assert point.as_double == 2 or point.as_int == 2
        assert {a.key: a.value.string_value for a in point.attributes} == {
            "route": "chat", "outcome": "answered", "status": "200",
        }  # fmt: skip
        assert 0 < point.start_time_unix_nano <= point.time_unix_nano
        (gauge,) = shown["lockgate.exchanges.in_flight"].gauge.data_points
        assert gauge.as_double == 2 or gauge.as_int == 2
        prompt = next(
            p for p in shown["lockgate.station.duration"].histogram.data_points
            if p.attributes[0].value.string_value == "prompt"
        )  # fmt: skip
        assert (prompt.count, prompt.bucket_counts[-1]) == (2, 1)
        assert tuple(prompt.explicit_bounds) == names.SECONDS
        assert not prompt.HasField("min")
        assert shown["lockgate.station.duration"].unit == "s"
        (call,) = shown["gen_ai.client.operation.duration"].histogram.data_points
        assert {a.key: a.value.int_value for a in call.attributes}["server.port"] == 443

    def test_a_collector_that_fails_is_asked_again(self, caplog: pytest.LogCaptureFixture) -> None:
        exported: list[MetricsData] = []
        again = threading.Event()

        class Failing(MetricExporter):
            def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **_: object) -> MetricExportResult:
                exported.append(metrics_data)
                if len(exported) == 1:
                    raise OSError("secret")
                again.set()
                return MetricExportResult.SUCCESS

            def force_flush(self, timeout_millis: float = 0) -> bool:
                return True

            def shutdown(self, timeout_millis: float = 0, **_: object) -> None:
                """Nothing is open."""

        periodic = Periodic(self.filled(), Exporters(Tracing(), Failing(), None, 0.001))
        periodic.start()
        assert again.wait(10)
        periodic.close()
        assert "metrics could not be exported: OSError" in caplog.text
        assert "secret" not in caplog.text

    def test_the_console_shows_them_as_well(self) -> None:
        out = StringIO()
        ConsoleMetricExporter(out=out).export(as_otel(self.filled(), None))
        shown = json.loads(out.getvalue())
        named = [m["name"] for m in shown["resource_metrics"][0]["scope_metrics"][0]["metrics"]]
        assert named == [instrument.name for instrument, _ in self.filled().collect()]
