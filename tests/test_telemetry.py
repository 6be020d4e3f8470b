from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from lockgate import telemetry
from lockgate.errors import SettingsError
from lockgate.exchange import Exchange, Reading, Subject
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.schema import Policy
from lockgate.telemetry import Tracing, configure, describe
from lockgate.verdict import Action, RuleOutcome, Verdict
from lockgate.wire.values import read_value


class Recorder:
    """A tracer whose spans stay in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(self._provider.get_tracer(telemetry.SCOPE))

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}

    def close(self) -> None:
        self._provider.shutdown()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


def test_stations_nest(recorder: Recorder) -> None:
    with recorder.tracing.span(telemetry.EXCHANGE, {telemetry.ID: "01J"}) as outer:
        assert outer is not None
        with recorder.tracing.span(telemetry.PROMPT), recorder.tracing.span(telemetry.FORWARD):
            pass
    spans = recorder.spans()
    assert set(spans) == {telemetry.EXCHANGE, telemetry.PROMPT, telemetry.FORWARD}
    exchange, prompt, forward = (spans[name] for name in (telemetry.EXCHANGE, telemetry.PROMPT, telemetry.FORWARD))
    assert exchange.attributes == {telemetry.ID: "01J"}
    assert exchange.parent is None
    assert prompt.parent == exchange.context
    assert forward.parent == prompt.context
    assert {span.status.status_code for span in spans.values()} == {StatusCode.UNSET}


def test_an_exception_is_told_by_its_type_only(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="secret words"), recorder.tracing.span(telemetry.ANSWER):
        raise ValueError("secret words of somebody")
    span = recorder.spans()[telemetry.ANSWER]
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert span.events == ()
    assert "secret" not in span.to_json()


def test_without_a_tracer_there_is_nothing() -> None:
    tracing = Tracing()
    assert tracing.on is False
    with tracing.span(telemetry.EXCHANGE, {telemetry.ID: "x"}) as span:
        assert span is None
        describe(span, Verdict("prompt", "p", "h"))
    with pytest.raises(KeyError), tracing.span(telemetry.PROMPT):
        raise KeyError


def test_a_verdict_on_its_span(recorder: Recorder) -> None:
    verdict = Verdict(
        "prompt",
        "strict",
        "sha256:0123456789abcdef",
        action=Action.REFUSE,
        rules=[RuleOutcome("a", Action.FLAG, "applied"), RuleOutcome("b", Action.REFUSE, "applied")],
        failed_open=2,
    )
    with recorder.tracing.span(telemetry.PROMPT) as span:
        describe(span, verdict)
    assert recorder.spans()[telemetry.PROMPT].attributes == {
        telemetry.ACTION: "refuse",
        telemetry.RULES: ("b", "a"),
        telemetry.POLICY: "strict",
        telemetry.POLICY_HASH: "sha256:0123456789abcdef",
        telemetry.FAILED_OPEN: 2,
    }


async def test_no_text_of_an_exchange_is_on_a_span(recorder: Recorder) -> None:
    rule = {"id": "words", "side": "prompt", "use": {"words": {"words": ["marzipan"]}}, "then": {"rewrite": "mask"}}
    plan = compile_policy(Policy.model_validate({"version": 1, "name": "t", "rules": [rule]}))
    reading = Reading()
    read_value(reading, "/marzipan", "all of the marzipan is mine", "user")
    verdict = await Passage(plan, Exchange("x", "text", Subject(user="marzipan-fan"))).prompt(reading)
    assert verdict.action is Action.REWRITE
    with recorder.tracing.span(telemetry.PROMPT) as span:
        describe(span, verdict)
    written = recorder.spans()[telemetry.PROMPT].to_json()
    assert "marzipan" not in written
    assert telemetry.FAILED_OPEN not in written


@pytest.mark.parametrize("environment", [{}, {"OTEL_TRACES_EXPORTER": ""}, {"OTEL_TRACES_EXPORTER": " None "}])
def test_tracing_is_off_unless_asked_for(environment: dict[str, str]) -> None:
    assert configure(environment).on is False


@pytest.mark.parametrize("name", ["zipkin", "jaeger", "otlp,console"])
def test_an_exporter_that_we_do_not_have(name: str) -> None:
    with pytest.raises(SettingsError, match="write none, console or otlp") as raised:
        configure({"OTEL_TRACES_EXPORTER": name})
    assert repr(name) in str(raised.value)


def test_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "Console")
    assert configure().on is True


@pytest.mark.parametrize(
    ("exporter", "missing", "hint"),
    [
        ("console", "opentelemetry.sdk.trace", r"install lockgate\[otel\]"),
        ("otlp", "opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry-exporter-otlp-proto-http"),
    ],
)
def test_a_package_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, exporter: str, missing: str, hint: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SettingsError, match=hint):
        configure({"OTEL_TRACES_EXPORTER": exporter})


def test_names_are_ours_or_of_the_conventions() -> None:
    names = [value for name, value in vars(telemetry).items() if name.isupper() and isinstance(value, str)]
    assert len(set(names)) == len(names) >= 14
    assert all(name == "lockgate" or name.startswith(("lockgate.", "gen_ai.", "http.")) for name in names)
