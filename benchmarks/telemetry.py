"""What telemetry costs: a record, a span, and an exchange without sockets. CPU time of this process.

    python benchmarks/telemetry.py [--rounds N] [--json FILE] [--results FILE]

Each round measures everything once; what is printed is the least of the rounds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

import rig
import texts
from lockgate.policy.compile import compile_policy
from lockgate.policy.load import load_policy
from lockgate.telemetry import names
from lockgate.telemetry.metrics import Counter, Histogram, Metrics
from lockgate.telemetry.spans import Tracing
from lockgate.wire.chat import ChatLens
from lockgate_proxy.handle import handle
from lockgate_proxy.headers import Headers
from lockgate_proxy.settings import Settings
from lockgate_proxy.visit import Context

_PATH = "/v1/chat/completions"
_CHAT = ChatLens()
_ASKED, _SAID = texts.request(), texts.answer()
_AGAIN = 400  # times in a round


class _Nowhere(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


class _Answer:
    """The plain answer of the benchmarks, at hand."""

    status = 200

    def __init__(self) -> None:
        self.headers: Headers = [(b"content-type", b"application/json")]

    async def read(self, limit: int) -> bytes:
        del limit
        return _SAID

    async def chunks(self, take: object = None) -> AsyncGenerator[bytes, None]:
        del take
        yield _SAID

    def close(self, abort: bool = True) -> None:
        """Nothing is open."""


class _Upstream:
    async def open(self, method: str, path: str, headers: Headers, body: Any = None) -> _Answer:
        del method, path, headers, body
        return _Answer()

    async def close(self) -> None:
        """Nothing is open."""


def tracing(sampler: Sampler) -> tuple[Tracing, TracerProvider]:
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
    return Tracing(provider.get_tracer(names.SCOPE)), provider


def records(providers: Iterable[TracerProvider]) -> dict[str, Callable[[], object]]:
    """One record each of the SDK's instruments, of ours, and the SDK's spans."""
    meter = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False).get_meter(names.SCOPE)
    histogram, counter = meter.create_histogram("h"), meter.create_counter("c")
    ours, counted = Histogram(names.STATION), Counter(names.RULE_VERDICTS)
    one = {"station": "prompt"}
    four = {"policy": "default", "rule": "x", "side": "prompt", "action": "rewrite"}
    on, off = (provider.get_tracer(names.SCOPE) for provider in providers)
    return {
        "SDK, histogram, one attribute": lambda: histogram.record(0.01, one),
        "SDK, counter, four attributes": lambda: counter.add(1, four),
        "ours, histogram": lambda: ours.add(("prompt",), 0.01),
        "ours, counter": lambda: counted.add(("default", "x", "prompt", "rewrite", "applied")),
        "SDK, span, sampled": lambda: on.start_span("x", attributes=four).end(),
        "SDK, span, not sampled": lambda: off.start_span("x", attributes=four).end(),
    }


async def exchange(context: Context) -> None:
    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": _PATH, "raw_path": _PATH.encode(),
        "query_string": b"", "headers": [(b"content-type", b"application/json"), (b"authorization", b"Bearer k")],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": _ASKED, "more_body": False}

    async def send(_: object) -> None:
        """Nobody listens."""

    await handle(_CHAT, context, scope, receive, send)


def contexts(policy: str, on: Tracing, off: Tracing) -> dict[str, Context]:
    settings = Settings.read(policy=policy, upstream="http://upstream/v1")
    plan = compile_policy(load_policy(policy))

    def made(traced: Tracing, metrics: Metrics | None) -> Context:
        return Context(settings, plan, _Upstream(), traced, metrics=metrics)

    return {
        f"exchange, {policy}": made(Tracing(), None),
        f"exchange, {policy}, metrics": made(Tracing(), Metrics()),
        f"exchange, {policy}, metrics, trace not sampled": made(off, Metrics()),
        f"exchange, {policy}, metrics, trace sampled": made(on, Metrics()),
    }


def main() -> None:
    given = rig.options("what telemetry costs", rounds=15, seconds=0.0)
    (on, kept), (off, left) = tracing(ALWAYS_ON), tracing(ALWAYS_OFF)
    least: dict[str, float] = {}

    def note(name: str, began: float) -> None:
        least[name] = min(least.get(name, float("inf")), (time.process_time() - began) / _AGAIN * 1e6)

    async def rounds() -> None:
        made = contexts(given.policies[0], on, off)
        for _ in range(given.rounds):
            for name, record in records((kept, left)).items():
                began = time.process_time()
                for _ in range(_AGAIN):
                    record()
                note(name, began)
            for name, context in made.items():
                began = time.process_time()
                for _ in range(_AGAIN):
                    await exchange(context)
                note(name, began)

    asyncio.run(rounds())
    kept.shutdown()
    left.shutdown()
    rig.report(given, "telemetry", (rig.table(("what", "CPU µs"), least.items()),), least)


if __name__ == "__main__":
    main()
