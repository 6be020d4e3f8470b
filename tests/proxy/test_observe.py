"""What telemetry sees of an exchange: spans, the trace that is passed on, and what is counted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from compiling import WORDS, plan_of
from fakes import LAST_CHUNK, Script, chat_answer, chat_events, chunk, hangs, head, json_answer, replying, sends, until
from lockgate import load_policy
from lockgate.exchange import Exchange, Subject
from lockgate.passage import Passage
from lockgate.policy.compile import compile_policy
from lockgate.policy.plan import Plan
from lockgate.telemetry import names
from lockgate.telemetry.metrics import Labels, Metrics
from lockgate.telemetry.names import Instrument
from lockgate.wire.chat import ChatLens
from lockgate_proxy.observe import Peer, begin
from lockgate_proxy.visit import Visit
from proxied import CHAT, Proxy, proxied, request
from tracing import Traced, attributes

SERVER = "POST /v1/chat/completions"
CALL = "chat m"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
PLAN = plan_of({"use": WORDS, "side": ["prompt", "completion"]})
FINE = replying(json_answer(chat_answer("fine")))
USAGE = {
    "prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19,
    "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3},
}  # fmt: skip


class Observed:
    """A proxy with a tracer and metrics."""

    def __init__(self, proxy: Proxy, traced: Traced | None, metrics: Metrics | None) -> None:
        self.proxy = proxy
        self.traced = traced or Traced()
        self.metrics = metrics or Metrics()

    def values(self, instrument: Instrument) -> dict[Labels, float]:
        return {
            point.labels: sum(point.counts) if point.counts else point.value
            for found, points in self.metrics.collect()
            for point in points
            if found is instrument
        }

    def nonzero(self, instrument: Instrument) -> dict[Labels, float]:
        return {labels: value for labels, value in self.values(instrument).items() if value}


@asynccontextmanager
async def observed(
    plan: Plan, script: Script, *, traced: Traced | None = None, spans: bool = True, counts: bool = True
) -> AsyncIterator[Observed]:
    async with proxied(plan, script) as proxy:
        seen = Observed(proxy, traced, None)
        if spans:
            proxy.context.tracing = seen.traced.tracing
        if counts:
            proxy.context.metrics = seen.metrics
        yield seen


def streaming(*events: bytes) -> Script:
    return replying([head(), *map(chunk, events), LAST_CHUNK])


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


class TestSpans:
    async def test_of_a_plain_exchange(self) -> None:
        said = chat_answer("Xavier's card is 4111 1111 1111 1111.", None) | {"usage": USAGE}
        said["choices"][1]["finish_reason"] = "length"
        async with observed(compile_policy(load_policy("default")), replying(json_answer(said))) as seen:
            reply = await seen.proxy.chat("Xavier's password: Hunter22!", n=2, Ximena="Xerxes")
            port = seen.proxy.upstream.port
        assert "[CREDIT_CARD]" in reply.body.decode()
        spans = seen.traced.by_name
        assert set(spans) == {SERVER, CALL, names.ADMIT, names.PROMPT, names.ANSWER}
        exchange, call = spans.pop(SERVER), spans[CALL]
        assert all(span.parent == exchange.context for span in spans.values())
        assert (exchange.kind, call.kind) == (trace.SpanKind.SERVER, trace.SpanKind.CLIENT)
        assert attributes(exchange) == {
            "http.request.method": "POST",
            "http.route": "/v1/chat/completions",
            "http.response.status_code": 200,
            "url.scheme": "http",
            "lockgate.id": reply.header("x-lockgate-id"),
            "lockgate.outcome": "answered",
            "gen_ai.request.model": "m",
        }
        assert attributes(call) == {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "m",
            "gen_ai.request.stream": False,
            "gen_ai.request.choice.count": 2,
            "gen_ai.response.id": "chatcmpl-fake",
            "gen_ai.response.model": "fake-1",
            "gen_ai.response.finish_reasons": ("stop", "length"),
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 7,
            "gen_ai.usage.cache_read.input_tokens": 5,
            "gen_ai.usage.cache_creation.input_tokens": 2,
            "gen_ai.usage.reasoning.output_tokens": 3,
            "server.address": "127.0.0.1",
            "server.port": port,
        }
        for side in (names.PROMPT, names.ANSWER):
            assert attributes(spans[side])[names.ACTION] == "rewrite"
            assert [found.name for found in spans[side].events] == [names.EVALUATION]
        for word in ("Xavier", "Hunter", "4111", "Ximena", "Xerxes"):
            assert word not in seen.traced.written

    async def test_of_a_stream(self) -> None:
        events = chat_events("one ", "two ", "three ", "four ", "five ", "six", done=False)
        last = event({"id": "chatcmpl-fake", "model": "fake-1", "choices": [], "usage": USAGE})
        async with observed(PLAN, streaming(*events, last, b"data: [DONE]\n\n")) as seen:
            assert (await seen.proxy.chat("hello", stream=True)).status == 200
            await until(lambda: len(seen.traced.spans) == 5)
        shown = attributes(seen.traced.by_name[CALL])
        assert shown[names.STREAM] is True
        assert shown[names.FINISH_REASONS] == ("stop",)
        assert (shown[names.RESPONSE_ID], shown[names.RESPONSE_MODEL]) == ("chatcmpl-fake", "fake-1")
        assert (shown[names.INPUT_TOKENS], shown[names.OUTPUT_TOKENS]) == (12, 7)
        assert 0 < shown[names.FIRST_CHUNK] < 60
        assert attributes(seen.traced.by_name[SERVER])[names.HELD] >= 0
        assert seen.values(names.OPERATION_FIRST_CHUNK)
        assert set(seen.values(names.STATION)) == {
            (one,) for one in ("prompt", "upstream", "first_chunk", "answer", "total")
        }

    async def test_of_what_is_not_guarded(self) -> None:
        async with observed(PLAN, replying(json_answer({"data": []}))) as seen:
            assert (await seen.proxy.ask("GET", "/v1/models/secret?key=secret", f"traceparent: {PARENT}")).status == 200
            assert (await seen.proxy.ask("PROPFIND", "/v1/models")).status == 200
            sent = seen.proxy.requests[0].header("traceparent")
        call, exchange, other_call, other = seen.traced.spans
        assert (exchange.name, exchange.kind, call.name, call.kind) == (
            "GET", trace.SpanKind.SERVER, "GET", trace.SpanKind.CLIENT,
        )  # fmt: skip
        assert attributes(call)[names.STATUS] == 200
        assert attributes(exchange)[names.OUTCOME] == "forwarded"
        assert call.context is not None
        assert sent == f"00-{TRACE}-{call.context.span_id:016x}-01"
        assert (other.name, attributes(other)[names.METHOD]) == ("HTTP", "_OTHER")
        assert other_call.parent == other.context
        assert "secret" not in seen.traced.written
        assert seen.nonzero(names.EXCHANGES) == {("unguarded", "forwarded", "200"): 2}

    async def test_a_spelling_that_is_refused(self) -> None:
        async with observed(PLAN, FINE) as seen:
            assert (await seen.proxy.post(b"{}", target="/v1/chat%2Fcompletions")).status == 400
        assert seen.traced.one.name == "POST"
        assert seen.nonzero(names.EXCHANGES) == {("unguarded", "invalid", "400"): 1}

    async def test_what_an_upstream_calls_things_is_a_word_or_left_out(self) -> None:
        said = chat_answer("fine") | {"id": "my secret is 7", "model": ["x"], "usage": {"prompt_tokens": "many"}}
        said["choices"][0]["finish_reason"] = "my secret is 7"
        async with observed(PLAN, replying(json_answer(said))) as seen:
            await seen.proxy.chat("hello")
        shown = attributes(seen.traced.by_name[CALL])
        assert shown[names.FINISH_REASONS] == ("other",)
        assert not {names.RESPONSE_ID, names.RESPONSE_MODEL, names.INPUT_TOKENS} & set(shown)
        assert "my secret" not in seen.traced.written

    async def test_names_of_spans_hold_few_models(self) -> None:
        async with observed(PLAN, FINE) as seen:
            for model in ["x y", "", "m" * 99, *(f"m{i}" for i in range(101))]:
                body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
                assert (await seen.proxy.post(json.dumps(body).encode())).status == 200
        found = {span.name for span in seen.traced.spans if span.kind is trace.SpanKind.CLIENT}
        assert found == {"chat", *(f"chat m{i}" for i in range(100))}


class TestFailures:
    @pytest.mark.parametrize(
        ("script", "body", "status", "outcome", "error", "called"),
        [
            (FINE, b"{", 400, "invalid", "", False),
            (FINE, b'{"model": "m", "messages": [{"role": "user", "content": "secret"}]}', 400, "refused_prompt", "", False),
            (sends(), b'{"model": "m", "messages": []}', 502, "upstream_error", "upstream_broken", True),
            (replying(json_answer({"error": {}}, status=b"429 Slow")), b'{"model": "m", "messages": []}', 429, "answered", "429", True),
            (replying(json_answer({"error": {}}, status=b"500 Oh")), b'{"model": "m", "messages": []}', 500, "answered", "500", True),
            (replying(json_answer({"error": {}}, status=b"404 No")), b'{"model": "m", "messages": []}', 404, "answered", "404", True),
        ],
        ids=["unreadable", "refused", "no answer", "too many", "broken", "not there"],
    )  # fmt: skip
    async def test_how_it_ended(
        self, script: Script, body: bytes, status: int, outcome: str, error: str, called: bool
    ) -> None:
        async with observed(PLAN, script) as seen:
            assert (await seen.proxy.post(body)).status == status
        spans = seen.traced.by_name
        exchange = spans[SERVER]
        assert attributes(exchange)[names.OUTCOME] == outcome
        assert attributes(exchange)[names.STATUS] == status
        assert (exchange.status.status_code is trace.StatusCode.ERROR) is (status >= 500)
        assert (CALL in spans) is called
        if called:
            assert attributes(spans[CALL])[names.ERROR] == error
            assert spans[CALL].status.status_code is trace.StatusCode.ERROR
            assert spans[CALL].status.description is None
        assert seen.nonzero(names.EXCHANGES) == {("chat", outcome, str(status)): 1}
        faults = {("chat", error): 1} if called and error != "404" else {}
        assert seen.nonzero(names.UPSTREAM_ERRORS) == faults
        assert seen.values(names.IN_FLIGHT) == {(): 0}

    async def test_a_stream_that_is_cut(self) -> None:
        async with observed(PLAN, sends(head(), chunk(chat_events("one", done=False)[1]))) as seen:
            await seen.proxy.chat("hello", stream=True)
            await until(lambda: len(seen.traced.spans) == 5)
        assert attributes(seen.traced.by_name[CALL])[names.ERROR] == "upstream_broken"
        assert seen.traced.by_name[SERVER].status.status_code is trace.StatusCode.ERROR
        assert seen.nonzero(names.EXCHANGES) == {("chat", "upstream_error", "200"): 1}

    async def test_a_client_that_leaves(self) -> None:
        async with observed(PLAN, hangs(head(), chunk(chat_events("one", done=False)[1]))) as seen:
            client = await seen.proxy.client()
            body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
            await client.send(request("POST", CHAT, "Content-Type: application/json", body=body))
            await client.head()
            assert seen.values(names.IN_FLIGHT) == {(): 1}
            client.close()
            await until(lambda: seen.metrics.in_flight == 0)
        assert attributes(seen.traced.by_name[CALL])[names.ERROR] == "cancelled"
        assert seen.nonzero(names.UPSTREAM_ERRORS) == {}
        assert seen.nonzero(names.EXCHANGES) == {("chat", "cancelled", "200"): 1}

    async def test_a_guard_that_fails_open(self) -> None:
        plan = plan_of({"id": "rude", "use": {"tone": {}}, "on_error": "allow"})
        async with observed(plan, FINE) as seen:
            reply = await seen.proxy.chat("crash")
        assert reply.header("x-lockgate-failed-open") == "1"
        assert seen.values(names.FAIL_OPEN) == {("t", "rude"): 1}
        assert seen.nonzero(names.GUARD_FAILURES) == {("tone", "crash", "allow"): 1}
        assert attributes(seen.traced.by_name[names.PROMPT])[names.FAILURES] == ("tone: crash",)


class TestTraceContext:
    ASK = ("Content-Type: application/json", f"traceparent: {PARENT}", "tracestate: a=1", "baggage: who=me")

    async def test_the_clients_trace_goes_on_to_the_upstream(self) -> None:
        async with observed(PLAN, FINE) as seen:
            await seen.proxy.post(b'{"model": "m", "messages": []}', *self.ASK)
            (sent,) = seen.proxy.requests
        call, exchange = seen.traced.by_name[CALL], seen.traced.by_name[SERVER]
        assert exchange.parent is not None
        assert call.context is not None
        assert f"{exchange.parent.span_id:016x}" == "00f067aa0ba902b7"
        assert [value for name, value in sent.headers if name == "traceparent"] == [
            f"00-{TRACE}-{call.context.span_id:016x}-01"
        ]
        assert sent.header("tracestate") == "a=1"
        assert sent.header("baggage") == "who=me"

    async def test_without_one_a_trace_begins_and_no_baggage(self) -> None:
        async with observed(PLAN, FINE, counts=False) as seen:
            await seen.proxy.chat("hello")
            (sent,) = seen.proxy.requests
        call = seen.traced.by_name[CALL]
        assert call.context is not None
        mine = f"00-{call.context.trace_id:032x}-{call.context.span_id:016x}-{call.context.trace_flags:02x}"
        assert sent.header("traceparent") == mine
        assert sent.header("tracestate") is None
        assert sent.header("baggage") is None

    async def test_a_trace_that_is_not_sampled_is_passed_on_all_the_same(self) -> None:
        asked = ("Content-Type: application/json", f"traceparent: {PARENT[:-1]}0")
        async with observed(PLAN, FINE, traced=Traced(ParentBased(ALWAYS_OFF))) as seen:
            await seen.proxy.post(b'{"model": "m", "messages": []}', *asked)
            (sent,) = seen.proxy.requests
        assert seen.traced.spans == ()
        passed = sent.header("traceparent") or ""
        assert passed.startswith(f"00-{TRACE}-")
        assert passed.endswith("-00")
        assert seen.nonzero(names.EXCHANGES) == {("chat", "answered", "200"): 1}

    @pytest.mark.parametrize("counts", [False, True], ids=["off", "metrics alone"])
    async def test_without_tracing_the_clients_headers_pass_as_they_are(self, counts: bool) -> None:
        odd = ("Content-Type: application/json", "traceparent: odd", "traceparent: odder", "tracestate: ???")
        async with observed(PLAN, FINE, spans=False, counts=counts) as seen:
            await seen.proxy.post(b'{"model": "m", "messages": []}', *odd)
            (sent,) = seen.proxy.requests
        assert [pair for pair in sent.headers if pair[0].startswith("trace")] == [
            ("traceparent", "odd"), ("traceparent", "odder"), ("tracestate", "???"),
        ]  # fmt: skip


class TestMetrics:
    async def test_of_a_call(self) -> None:
        said = chat_answer("fine") | {"usage": USAGE}
        async with observed(PLAN, replying(json_answer(said)), spans=False) as seen:
            await seen.proxy.chat("hello")
            call = ("chat", "openai", "m", "127.0.0.1", str(seen.proxy.upstream.port))
        assert seen.values(names.OPERATION_DURATION) == {(*call, ""): 1}
        assert seen.values(names.TOKEN_USAGE) == {(*call, "input"): 1, (*call, "output"): 1}
        assert seen.values(names.VERDICTS) == {("t", "prompt", "allow"): 1, ("t", "completion", "allow"): 1}
        assert seen.values(names.POLICY_INFO) == {("t", PLAN.hash): 1}

    async def test_a_model_is_a_label_once_the_upstream_has_answered_for_it(self) -> None:
        fails = json_answer({"error": {}}, status=b"404 No")
        async with observed(PLAN, replying(fails, json_answer(chat_answer("fine")), fails), spans=False) as seen:
            for _ in range(3):
                await seen.proxy.chat("hello")
        assert {
            labels[2]: value for labels, value in seen.values(names.OPERATION_DURATION).items() if labels[-1] == ""
        } == {"m": 1}
        assert {labels[2] for labels, _ in seen.values(names.OPERATION_DURATION).items() if labels[-1]} == {
            "other",
            "m",
        }

    async def test_a_policy_that_comes_with_a_key_is_expected(self) -> None:
        other = plan_of({"id": "rude", "use": {"tone": {}}, "on_error": "allow"}, name="other")
        async with observed(PLAN, FINE, spans=False) as seen:
            seen.proxy.context.plan = other
            await seen.proxy.chat("hello")
        assert seen.values(names.FAIL_OPEN) == {(other.policy, "rude"): 0}


async def test_what_goes_by_the_short_way_is_seen() -> None:
    events = chat_events("one ", "two ", "three ", "four ", "five ", "six")
    usage = event({"id": "chatcmpl-fake", "choices": [], "usage": USAGE})

    async def send(_: object) -> None:
        """Nobody listens."""

    async with observed(PLAN, FINE) as seen:
        visit = Visit(seen.proxy.context, send, "01ID", CHAT)
        visit.seen = mine = begin(visit, {"method": "POST", "headers": []}, ChatLens())
        assert mine is not None
        exchange = Exchange(id="01ID", dialect="chat", subject=Subject("m"), stream=True)
        visit.passage = Passage(PLAN, exchange)
        mine.call(visit, [], exchange)
        left = b"data: "  # half of an event, which goes the long way
        take = mine.watching(lambda piece: piece if piece == left else b"" if piece == usage else None)
        assert [take(piece) for piece in (left, *events[:-1], usage, events[-1])] == [
            left, *(None for _ in events[:-1]), b"", None,
        ]  # fmt: skip
        visit.outcome = "answered"
        mine.end(visit)
    shown = attributes(seen.traced.by_name[CALL])
    assert shown[names.FINISH_REASONS] == ("stop",)
    assert shown[names.OUTPUT_TOKENS] == 7
    assert shown[names.RESPONSE_ID] == "chatcmpl-fake"
    assert ("first_chunk",) in seen.values(names.STATION)


async def test_off_nothing_is_made() -> None:
    async with proxied(PLAN, FINE) as proxy:
        context = proxy.context
        assert context.metrics is None
        assert not context.tracing.on

        class Curt:
            """A visit that nothing may be asked of, but whether somebody wants to know."""

            def __init__(self) -> None:
                self.context = context

        assert begin(Curt(), {}) is None  # type: ignore[arg-type]
        await proxy.chat("hello")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.openai.com/v1", Peer("x", "api.openai.com", 443)),
        ("http://u/v1", Peer("x", "u", 80)),
        ("http://[::1]:8000/v1", Peer("x", "::1", 8000)),
    ],
)
def test_the_upstream_has_an_address_and_a_port(url: str, expected: Peer) -> None:
    assert Peer.of(url, "x") == expected
