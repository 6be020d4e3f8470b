from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from compiling import WORDS, plan_of
from lockgate import Guard
from lockgate.errors import WireError
from lockgate.telemetry import names
from lockgate.telemetry.spans import MOST_EVENTS, Tracing, bounded, evaluations, incoming, outgoing
from lockgate.verdict import Action, Failure, Finding, RuleOutcome, Verdict
from tracing import Traced, attributes

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01".encode()


@pytest.fixture
def traced() -> Traced:
    return Traced()


class TestSpans:
    def test_without_a_tracer_there_is_no_span(self) -> None:
        tracing = Tracing()
        assert not tracing.on
        with tracing.span(names.PROMPT, {names.ID: "x"}) as span, tracing.span(names.ADMIT) as inner:
            assert (span, inner) == (None, None)
        assert tracing.span(names.PROMPT) is tracing.span(names.ADMIT), "nothing is made"
        assert tracing.begin("x", trace.SpanKind.SERVER, {}) is None
        tracing.describe(None, Verdict("prompt", "p", "sha256:0"))
        with pytest.raises(KeyError), tracing.span(names.PROMPT):
            raise KeyError

    def test_stations_are_within_the_exchange(self, traced: Traced) -> None:
        outer = traced.tracing.begin("POST", trace.SpanKind.SERVER, {names.ID: "01ID"})
        assert outer is not None
        with trace.use_span(outer, end_on_exit=True), traced.tracing.span(names.PROMPT, {names.RULE: "r"}):
            pass
        prompt, exchange = traced.spans
        assert (prompt.name, exchange.name) == ("lockgate.prompt", "POST")
        assert (prompt.kind, exchange.kind) == (trace.SpanKind.INTERNAL, trace.SpanKind.SERVER)
        assert prompt.parent == exchange.context
        assert exchange.parent is None
        assert attributes(exchange) == {"lockgate.id": "01ID"}
        assert attributes(prompt) == {"lockgate.rule": "r"}
        assert exchange.status.status_code is trace.StatusCode.UNSET
        assert exchange.instrumentation_scope is not None
        assert exchange.instrumentation_scope.name == "lockgate"

    def test_a_trace_that_is_not_sampled_has_no_stations(self) -> None:
        traced = Traced(ALWAYS_OFF)
        outer = traced.tracing.begin("POST", trace.SpanKind.SERVER, {})
        assert outer is not None
        with trace.use_span(outer), traced.tracing.span(names.PROMPT) as span:
            assert span is None
        traced.tracing.describe(outer, Verdict("prompt", "p", "sha256:0"))
        assert traced.spans == ()

    @pytest.mark.parametrize(
        "error", [ValueError("my secret"), WireError("my secret", where="/my secret"), KeyError("secret")]
    )
    def test_an_exception_is_told_by_its_type_alone(self, traced: Traced, error: Exception) -> None:
        with pytest.raises(type(error)), traced.tracing.span(names.ANSWER):
            raise error
        assert traced.one.status.status_code is trace.StatusCode.ERROR
        assert traced.one.status.description == type(error).__name__
        assert traced.one.events == ()
        assert "secret" not in traced.written

    async def test_a_cancelled_station_ends_its_span_and_is_no_error(self, traced: Traced) -> None:
        async def waiting() -> None:
            with traced.tracing.span(names.ANSWER):
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert traced.one.status.status_code is trace.StatusCode.UNSET


class TestTraceContext:
    def test_a_clients_trace_goes_on(self, traced: Traced) -> None:
        parent = incoming([(b"Host", b"x"), (b"TraceParent", PARENT), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")])
        span = traced.tracing.begin("POST", trace.SpanKind.SERVER, {}, parent)
        assert span is not None
        headers = dict(outgoing(span))
        mine = span.get_span_context()
        assert headers == {
            b"traceparent": f"00-{TRACE}-{mine.span_id:016x}-01".encode(),
            b"tracestate": b"a=1,b=2",
        }

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [(b"traceparent", b"nonsense")],
            [(b"traceparent", PARENT), (b"traceparent", PARENT)],
            [(b"tracestate", b"a=1")],
            [(b"traceparent", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01")],
            [(b"traceparent", b"\xff\xfe")],
        ],
        ids=["none", "nonsense", "two", "state alone", "zero", "bytes"],
    )
    def test_what_names_no_trace_begins_one(self, traced: Traced, headers: list[tuple[bytes, bytes]]) -> None:
        span = traced.tracing.begin("POST", trace.SpanKind.SERVER, {}, incoming(headers))
        assert span is not None
        span.end()
        assert traced.one.parent is None
        ((name, value),) = outgoing(span)
        assert name == b"traceparent"
        assert TRACE.encode() not in value

    def test_it_does_not_join_a_trace_of_the_process(self, traced: Traced) -> None:
        with trace.use_span(traced.tracing._tracer.start_span("other")):  # type: ignore[union-attr]
            span = traced.tracing.begin("POST", trace.SpanKind.SERVER, {}, incoming([]))
        assert span is not None
        span.end()
        assert traced.one.parent is None

    def test_what_goes_out_is_what_the_propagator_reads(self, traced: Traced) -> None:
        span = traced.tracing.begin("POST", trace.SpanKind.SERVER, {}, incoming([(b"traceparent", PARENT)]))
        assert span is not None
        carrier = {name.decode(): value.decode() for name, value in outgoing(span)}
        read = trace.get_current_span(TraceContextTextMapPropagator().extract(carrier)).get_span_context()
        mine = span.get_span_context()
        assert (read.trace_id, read.span_id, read.trace_flags) == (mine.trace_id, mine.span_id, mine.trace_flags)


def test_a_name_of_others_is_cut_and_can_be_sent() -> None:
    assert bounded("m" * 999) == "m" * 128
    assert bounded("m\ud83d") == "m?"


class TestVerdicts:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            (
                {"id": "words", "use": WORDS},
                {names.ACTION: "refuse", names.RULES: ("words",), names.RULE: "words"},
            ),
            (
                {"id": "words", "use": WORDS, "then": {"rewrite": "redact"}},
                {names.ACTION: "rewrite", names.RULES: ("words",), names.RULE: "words"},
            ),
            ({"id": "keys", "use": {"secrets": {}}}, {names.ACTION: "allow", names.RULES: ()}),
            (
                {"id": "rude", "use": {"tone": {}}, "on_error": "allow"},
                {
                    names.ACTION: "allow",
                    names.RULES: (),
                    names.RULE: "rude",
                    names.FAILED_OPEN: 1,
                    names.FAILURES: ("tone: crash",),
                    names.SCANNED: 0,
                    names.SKIPPED: 1,
                },
            ),
        ],
        ids=["refused", "rewritten", "nothing", "failed open"],
    )
    def test_a_span_says_what_was_decided(self, traced: Traced, rule: dict[str, Any], expected: dict[str, Any]) -> None:
        plan = plan_of(rule)
        with traced.tracing.span(names.PROMPT) as span:
            traced.tracing.describe(span, Guard(plan).check("my secret would crash"))
        common = {names.POLICY: "t", names.POLICY_HASH: plan.hash, names.SCANNED: 1}
        assert attributes(traced.one) == {**common, **expected}
        assert "secret would" not in traced.written

    def test_which_principle_won(self, traced: Traced) -> None:
        verdict = Verdict("prompt", "p", "sha256:0", Action.FLAG)
        verdict.rules = [
            RuleOutcome("tell", Action.FLAG, "applied", principle="honesty"),
            RuleOutcome("stop", Action.REFUSE, "permitted", principle="safety", by="tell"),
        ]
        verdict.coverage.skipped = {"/a": "media", "/b": "unread: unknown"}
        with traced.tracing.span(names.PROMPT) as span:
            traced.tracing.describe(span, verdict)
        shown = attributes(traced.one)
        assert shown[names.PRINCIPLES] == ("honesty",)
        assert shown[names.PERMITTED] == ("stop by tell",)
        assert (shown[names.SKIPPED], shown[names.UNREAD]) == (2, 1)

    def test_each_score_is_an_evaluation(self, traced: Traced) -> None:
        verdict = Verdict("prompt", "p", "sha256:0", Action.REFUSE)
        verdict.rules = [RuleOutcome("stop", Action.REFUSE, "applied")]
        verdict.findings = [
            Finding("tone", "RUDE", 0.4, "/messages/0/content", (0, 4), "stop"),
            Finding("tone", "RUDE", 0.9, "/messages/1/content", (0, 4), "stop"),
            Finding("pii", "NAME", 0.5, "/messages/1/content", (0, 4), "see"),
        ]
        with traced.tracing.span(names.PROMPT) as span:
            traced.tracing.describe(span, verdict)
        assert [(event.name, dict(event.attributes or {})) for event in traced.one.events] == [
            (
                "gen_ai.evaluation.result",
                {
                    "gen_ai.evaluation.name": "tone/RUDE",
                    "gen_ai.evaluation.score.value": 0.9,
                    "gen_ai.evaluation.score.label": "fail",
                    "lockgate.rule": "stop",
                    "lockgate.findings": 2,
                },
            ),
            (
                "gen_ai.evaluation.result",
                {
                    "gen_ai.evaluation.name": "pii/NAME",
                    "gen_ai.evaluation.score.value": 0.5,
                    "gen_ai.evaluation.score.label": "pass",
                    "lockgate.rule": "see",
                    "lockgate.findings": 1,
                },
            ),
        ]

    def test_evaluations_are_bounded_and_the_best_stay(self) -> None:
        verdict = Verdict("prompt", "p", "sha256:0")
        verdict.findings = [Finding("d", f"L{i}", i / 1000, "", rule="r") for i in range(900)]
        shown = evaluations(verdict)
        assert len(shown) == MOST_EVENTS
        assert shown[0][names.EVALUATION_NAME] == "d/L899"

    def test_failures_are_said_once(self, traced: Traced) -> None:
        verdict = Verdict("prompt", "p", "sha256:0")
        verdict.failures = [Failure("tone", "timeout", "/a"), Failure("tone", "timeout", "/b")]
        with traced.tracing.span(names.PROMPT) as span:
            traced.tracing.describe(span, verdict)
        assert attributes(traced.one)[names.FAILURES] == ("tone: timeout",)
