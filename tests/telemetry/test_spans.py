from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from compiling import WORDS, plan_of
from fakes import chat_answer, json_answer, replying, sends
from lockgate import Guard, load_policy, telemetry
from lockgate.errors import SettingsError, WireError
from lockgate.policy.compile import compile_policy
from lockgate.telemetry import ACTION, FAILED_OPEN, POLICY, POLICY_HASH, RULES, Tracing, configure, describe, finish
from lockgate.verdict import Verdict
from pages import text_of
from proxied import proxied

STATIONS = {telemetry.EXCHANGE, telemetry.ADMIT, telemetry.PROMPT, telemetry.FORWARD, telemetry.ANSWER}


class Seen:
    """Tracing that keeps its spans, and what it kept."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider.get_tracer(telemetry.SCOPE))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    @property
    def one(self) -> ReadableSpan:
        (span,) = self.spans
        return span

    @property
    def written(self) -> str:
        """All that an exporter could send, in one text."""
        return "\n".join(json.dumps(json.loads(span.to_json()), ensure_ascii=False) for span in self.spans)


@pytest.fixture
def seen() -> Seen:
    return Seen()


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return dict(span.attributes or {})


# --- Spans -----------------------------------------------------------------------------------------------------------


def test_without_a_tracer_there_is_no_span() -> None:
    tracing = Tracing()
    assert not tracing.on
    with tracing.span(telemetry.PROMPT, {telemetry.ID: "x"}) as span, tracing.span(telemetry.ADMIT) as inner:
        assert (span, inner) == (None, None)
    describe(None, Verdict("prompt", "p", "sha256:0"))
    with pytest.raises(KeyError), tracing.span(telemetry.PROMPT):
        raise KeyError


def test_spans_are_nested_as_stations_are(seen: Seen) -> None:
    assert seen.tracing.on
    with seen.tracing.span(telemetry.EXCHANGE, {telemetry.ID: "01ID"}) as outer:
        assert outer is trace.get_current_span()
        with seen.tracing.span(telemetry.PROMPT):
            pass
    prompt, exchange = seen.spans
    assert (prompt.name, exchange.name) == ("lockgate.prompt", "lockgate.exchange")
    assert prompt.parent == exchange.context
    assert exchange.parent is None
    assert attributes(exchange) == {"lockgate.id": "01ID"}
    assert exchange.status.status_code is trace.StatusCode.UNSET
    assert exchange.instrumentation_scope is not None
    assert exchange.instrumentation_scope.name == "lockgate"


@pytest.mark.parametrize(
    "error", [ValueError("my secret"), WireError("my secret", where="/my secret"), KeyError("secret")]
)
def test_an_exception_is_told_by_its_type_alone(seen: Seen, error: Exception) -> None:
    with pytest.raises(type(error)), seen.tracing.span(telemetry.ANSWER):
        raise error
    assert seen.one.status.status_code is trace.StatusCode.ERROR
    assert seen.one.status.description == type(error).__name__
    assert seen.one.events == ()
    assert "secret" not in seen.written


async def test_a_cancelled_station_ends_its_span_and_is_no_error(seen: Seen) -> None:
    async def waiting() -> None:
        with seen.tracing.span(telemetry.ANSWER):
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen.one.status.status_code is trace.StatusCode.UNSET


# --- Verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "action", "rules", "failed_open"),
    [
        ({"id": "words", "use": WORDS}, "refuse", ("words",), None),
        ({"id": "words", "use": WORDS, "then": {"rewrite": "redact"}}, "rewrite", ("words",), None),
        ({"id": "keys", "use": {"secrets": {}}}, "allow", (), None),
        ({"id": "rude", "use": {"tone": {}}, "on_error": "allow"}, "allow", (), 1),
    ],
)
def test_a_span_says_what_was_decided(
    seen: Seen, rule: dict[str, Any], action: str, rules: tuple[str, ...], failed_open: int | None
) -> None:
    plan = plan_of(rule)
    with seen.tracing.span(telemetry.PROMPT) as span:
        describe(span, Guard(plan).check("my secret would crash"))
    expected = {ACTION: action, RULES: rules, POLICY: "t", POLICY_HASH: plan.hash, FAILED_OPEN: failed_open}
    assert attributes(seen.one) == {name: value for name, value in expected.items() if value is not None}
    assert "secret would" not in seen.written


async def test_the_spans_of_an_exchange_hold_no_text(seen: Seen) -> None:
    plan = compile_policy(load_policy("default"))
    said = chat_answer("Xavier's card is 4111 1111 1111 1111.")
    async with proxied(plan, replying(json_answer(said))) as proxy:
        proxy.context.tracing = seen.tracing
        reply = await proxy.chat("Xavier's password: Hunter22!", Ximena="Xerxes")
        assert reply.status == 200
        assert "[CREDIT_CARD]" in reply.body.decode()
    spans = {span.name: span for span in seen.spans}
    assert set(spans) == STATIONS
    exchange = spans.pop(telemetry.EXCHANGE)
    assert all(span.parent == exchange.context for span in spans.values())
    assert attributes(exchange) == {
        telemetry.ID: reply.header("x-lockgate-id"),
        telemetry.OPERATION: "chat",
        telemetry.MODEL: "m",
        telemetry.STATUS: 200,
    }
    assert attributes(spans[telemetry.PROMPT])[ACTION] == "rewrite"
    assert attributes(spans[telemetry.ANSWER])[ACTION] == "rewrite"
    for word in ("Xavier", "Hunter", "4111", "Ximena", "Xerxes"):
        assert word not in seen.written


@pytest.mark.parametrize(
    ("body", "status", "stations", "error"),
    [
        (b"{", 400, {telemetry.ADMIT}, False),
        (b'{"model": "m", "messages": []}', 502, {telemetry.ADMIT, telemetry.PROMPT, telemetry.FORWARD}, True),
        (
            b'{"messages": [{"role": "user", "content": "secret"}]}',
            400,
            {telemetry.ADMIT, telemetry.PROMPT},
            False,
        ),
    ],
    ids=["unreadable", "no answer", "refused"],
)
async def test_the_span_of_an_exchange_that_fails(
    seen: Seen, body: bytes, status: int, stations: set[str], error: bool
) -> None:
    async with proxied(plan_of({"use": WORDS}), sends()) as proxy:
        proxy.context.tracing = seen.tracing
        assert (await proxy.post(body)).status == status
    spans = {span.name: span for span in seen.spans}
    assert set(spans) == {telemetry.EXCHANGE, *stations}
    exchange = spans[telemetry.EXCHANGE]
    assert attributes(exchange)[telemetry.STATUS] == status
    assert (exchange.status.status_code is trace.StatusCode.ERROR) is error


@pytest.mark.parametrize(
    ("status", "model", "expected"),
    [
        (200, "m-1", {telemetry.STATUS: 200, telemetry.MODEL: "m-1"}),
        (0, "", {}),
        (503, "m" * 999, {telemetry.STATUS: 503, telemetry.MODEL: "m" * 128}),
        (200, "m\ud83d", {telemetry.STATUS: 200, telemetry.MODEL: "m?"}),
    ],
)
def test_how_an_exchange_ended(seen: Seen, status: int, model: str, expected: dict[str, Any]) -> None:
    with seen.tracing.span(telemetry.EXCHANGE) as span:
        finish(span, status, model)
    assert attributes(seen.one) == expected
    assert (seen.one.status.status_code is trace.StatusCode.ERROR) == (status >= 500)
    finish(None, status, model)


def test_every_name_is_in_the_docs_and_no_two_are_the_same() -> None:
    names = [value for name, value in vars(telemetry).items() if name.isupper() and isinstance(value, str)]
    assert len(set(names)) == len(names) > 10
    page = text_of("docs/audit.md")
    assert [name for name in names if f"`{name}`" not in page and name != telemetry.SCOPE] == []


# --- Configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, {"OTEL_TRACES_EXPORTER": ""}, {"OTEL_TRACES_EXPORTER": " None "}])
def test_nothing_is_traced_unless_asked_for(variables: dict[str, str]) -> None:
    assert not configure(variables).on


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
    assert not configure().on
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(SettingsError, match="OTEL_TRACES_EXPORTER is 'zipkin': write none, console or otlp"):
        configure()


_TRACING = """
import sys
from lockgate import Guard
from lockgate.telemetry import PROMPT, configure, describe

tracing = configure()
assert tracing.on
with tracing.span(PROMPT) as span:
    describe(span, Guard("default").check("key: ghp_16C7e42F292c6912E7710c838347Ae178B4a"))
"""

_WITHOUT = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None  # as if it were not installed
from lockgate.errors import SettingsError
from lockgate.telemetry import configure
try:
    configure()
except SettingsError as error:
    print(error)
"""


def _run(program: str, *args: str, exporter: str, **more: str) -> str:
    variables = {
        "PYTHONPATH": ":".join(sys.path),
        "OTEL_TRACES_EXPORTER": exporter,
        "OTEL_SERVICE_NAME": "gate",
        **more,
    }
    command = [sys.executable, "-c", program, *args]
    done = subprocess.run(command, env=variables, timeout=60, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_spans_reach_the_console_before_the_process_ends() -> None:
    written = _run(_TRACING, exporter="console")
    span = json.loads(written)
    assert span["name"] == "lockgate.prompt"
    assert span["attributes"]["lockgate.action"] == "rewrite"
    assert span["resource"]["attributes"]["service.name"] == "gate"
    assert "ghp_" not in written


@pytest.mark.parametrize(
    ("exporter", "missing", "said"),
    [
        ("otlp", "opentelemetry.exporter", "install opentelemetry-exporter-otlp-proto-http"),
        ("otlp", "opentelemetry.sdk", "install lockgate[otel]"),
        ("console", "opentelemetry.sdk", "install lockgate[otel]"),
    ],
)
def test_a_missing_package_is_named(exporter: str, missing: str, said: str) -> None:
    assert said in _run(_WITHOUT, missing, exporter=exporter)


def test_spans_are_sent_where_the_variable_says() -> None:
    came: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            _run(_TRACING, exporter="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        finally:
            server.shutdown()
    ((path, body),) = came
    assert path == "/v1/traces"
    assert b"lockgate.prompt" in body
    assert b"ghp_" not in body
