"""The proxy with all its telemetry, asked by the real `openai` client: what leaves it, and that no text does."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from prometheus_client.parser import text_string_to_metric_families

from compiling import plan_of
from fakes import LAST_CHUNK, RawUpstream, Script, chat_answer, chat_events, chunk, head, json_answer, replying, sends
from lockgate.audit import Audit
from lockgate.telemetry import names
from lockgate.telemetry.export import Exporters
from lockgate.telemetry.metrics import Metrics
from lockgate.telemetry.spans import Tracing
from lockgate_proxy.app import make_app
from lockgate_proxy.connection import Connection
from lockgate_proxy.instruments import Instruments
from lockgate_proxy.settings import Settings
from proxied import Client, request
from saying import patterns
from serving import served
from tracing import Traced

CANARY = "xylophone"
PLAN = plan_of(
    {"id": "stop", "use": {"words": {"words": ["plugh"]}}},
    {"id": "keys", "use": patterns(KEY=r"ca-[a-z]{9}"), "then": {"rewrite": "redact"}},
    {"id": "rude", "use": {"tone": {}}, "on_error": "allow"},
)


class Kept(MetricExporter):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.data: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **_: object) -> MetricExportResult:
        self.data.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **_: object) -> None:
        """Nothing is open."""


class Observed:
    """A running proxy: `base` is its URL, `admin` that of its admin port."""

    def __init__(self, base: str, admin: str, upstream: RawUpstream) -> None:
        self.base = base
        self.admin = admin
        self.upstream = upstream

    async def scrape(self) -> str:
        client = await Client.to(self.admin)
        try:
            await client.send(request("GET", "/metrics"))
            return (await client.reply()).body.decode()
        finally:
            client.close()

    async def samples(self) -> dict[str, list[dict[str, str]]]:
        """Name → labels of each of its series that is not zero."""
        found: dict[str, list[dict[str, str]]] = {}
        for family in text_string_to_metric_families(await self.scrape()):
            for sample in family.samples:
                if sample.value:
                    found.setdefault(sample.name, []).append(sample.labels)
        return found


@asynccontextmanager
async def instrumented(
    script: Script, traced: Traced, kept: Kept, *, audit: Audit | None = None
) -> AsyncIterator[Observed]:
    bound = socket.create_server(("127.0.0.1", 0))
    instruments = Instruments.of(Exporters(traced.tracing, kept), bound)
    async with RawUpstream(script) as upstream:
        settings = Settings.read(policy="test", upstream=upstream.url, provider="vllm")
        app = make_app(settings, PLAN, audit=audit, instruments=instruments)
        async with served(app, http=Connection) as base:
            yield Observed(base, "http://{}:{}".format(*bound.getsockname()), upstream)


def test_nothing_is_made_where_nothing_is_asked_for() -> None:
    made = Instruments.of(Exporters(Tracing()))
    assert (made.tracing.on, made.metrics, list(made.beside)) == (False, None, [])
    traced = Instruments.of(Exporters(Traced().tracing))
    assert (traced.tracing.on, traced.metrics, list(traced.beside)) == (True, None, [])


async def test_no_text_and_no_key_leaves_whatever_happens(tmp_path: Path) -> None:
    traced, kept = Traced(), Kept()
    key, said = f"ca-{CANARY}", f"the {CANARY} of Ca-{CANARY.title()} ca-{CANARY}"
    answer = chat_answer(said) | {"id": f"id {CANARY}"}
    tool = {"type": "function", "function": {"name": CANARY, "parameters": {CANARY: CANARY}}}
    stream = [head(), *map(chunk, chat_events(f"ca-{CANARY[:4]}", f"{CANARY[4:]} {CANARY}")), LAST_CHUNK]
    broken = json_answer({"error": {"message": CANARY, "code": CANARY}}, status=b"500 Oh")
    script = replying(json_answer(answer), stream, broken, b"HTTP/1.1 nonsense\r\n\r\n")
    async with instrumented(script, traced, kept, audit=Audit(tmp_path / "a.jsonl", b"k" * 16)) as proxy:
        client = AsyncOpenAI(
            base_url=f"{proxy.base}/v1", api_key=f"sk-{CANARY}", max_retries=0, timeout=10,
            default_headers={"User-Agent": CANARY, "tracestate": "a=1", f"x-{CANARY}": CANARY}, default_query={"q": CANARY},
        )  # fmt: skip

        async def ask(text: str, **more: Any) -> Any:
            asked: Any = {"model": "gpt-x", "messages": [{"role": "user", "content": text}], **more}
            return await client.chat.completions.create(**asked)

        async with client:
            got = await ask(f"{CANARY} {key}", tools=[tool], user=CANARY, metadata={CANARY: CANARY})
            assert got.choices[0].message.content.count("[KEY]") == 1
            async for _ in await ask(f"{CANARY} crash", stream=True):
                pass
            with pytest.raises(openai.BadRequestError):
                await ask(f"{CANARY} plugh")
            with pytest.raises(openai.InternalServerError):
                await ask(CANARY)
            with pytest.raises(openai.InternalServerError):
                await ask(CANARY)
            with pytest.raises(openai.InternalServerError):
                await client.models.retrieve(CANARY)
        scraped = await proxy.scrape()
        samples = await proxy.samples()
        assert CANARY in proxy.upstream.requests[0].raw.decode(), "the client did say it"
    everything = "\n".join([
        scraped,
        traced.written,
        encode_spans(traced.spans).SerializeToString().decode("latin-1"),
        *(encode_metrics(data).SerializeToString().decode("latin-1") for data in kept.data),
    ])  # fmt: skip
    assert not re.search(rf"{CANARY}|{CANARY[:4]}|{CANARY[4:]}", everything, re.IGNORECASE)
    assert "gpt-x" in everything, "it is looked at where names are"
    outcomes = {(each["outcome"], each["status"]) for each in samples["lockgate_exchanges_total"]}
    assert outcomes == {("answered", "200"), ("refused_prompt", "400"), ("answered", "500"), ("upstream_error", "502")}
    assert samples["lockgate_fail_open_total"] == [{"policy": "t", "rule": "rude"}]
    assert {each["gen_ai_provider_name"] for each in samples["gen_ai_client_operation_duration_seconds_count"]} == {
        "vllm"
    }


async def test_metrics_are_exported_when_the_proxy_ends() -> None:
    kept = Kept()
    async with instrumented(replying(json_answer(chat_answer("fine"))), Traced(), kept) as proxy:
        client = AsyncOpenAI(base_url=f"{proxy.base}/v1", api_key="k", max_retries=0)
        async with client:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
        assert kept.data == []
    (data,) = kept.data
    exported = {metric.name for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert {names.EXCHANGES.name, names.OPERATION_DURATION.name, names.POLICY_INFO.name} <= exported


async def test_the_audit_is_watched(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "a.jsonl", b"k" * 16)
    async with instrumented(sends(), Traced(), Kept(), audit=audit) as proxy:
        audit.dropped = 3
        text = await proxy.scrape()
    assert "lockgate_audit_lost_total 3" in text
    assert "lockgate_audit_queue 0" in text


async def test_a_scrape_has_only_names_of_the_table() -> None:
    async with instrumented(replying(json_answer(chat_answer("fine"))), Traced(), Kept()) as proxy:
        text = await proxy.scrape()
    known = {instrument.prometheus for instrument in names.INSTRUMENTS}
    assert set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) <= known
    assert not Metrics().policies
