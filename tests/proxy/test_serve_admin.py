"""`lockgate serve` with its telemetry, as a process: what a scrape and a collector get."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from fakes import chat_answer, json_answer, replying
from processes import Process, serving, started
from proxied import CHAT, Client, request
from tracing import collecting

FINE = replying(json_answer(chat_answer("fine")))
BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hello xylophone"}]}'
POLICY = """\
version: 1
name: served
rules:
  - {id: keys, side: completion, use: {patterns: {patterns: {KEY: 'sk-[a-z0-9]{8}'}}}, then: {rewrite: redact}}
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "served.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return str(path)


async def ask(process: Process) -> None:
    client = await process.client()
    await client.send(request("POST", CHAT, body=BODY))
    assert (await client.reply()).status == 200
    client.close()


async def answered(admin: str) -> float:
    """The exchanges that a scrape of an admin port shows."""
    client = await Client.to(admin)
    await client.send(request("GET", "/metrics"))
    text = (await client.reply()).body.decode()
    client.close()
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == "lockgate_exchanges_total"]
    return sum(sample.value for sample in samples)


async def test_a_scrape_and_a_collector(policy: str) -> None:
    with collecting() as collector:
        environment = {
            "OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp", "OTEL_SERVICE_NAME": "gate",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        }  # fmt: skip
        async with serving(policy, FINE, "--admin-port", "0", environment=environment) as process:
            admin = (await process.said(r"metrics on (http://127\.0\.0\.1:\d+)/metrics"))[1]
            await ask(process)
            await ask(process)
            assert await answered(admin) == 2
            process.tell(signal.SIGTERM)
            assert await process.ended() == 0
    came: dict[str, list[bytes]] = {}
    for path, body in collector.came:
        came.setdefault(path, []).append(body)
        assert b"xylophone" not in body
    assert set(came) == {"/v1/traces", "/v1/metrics"}
    spans = [
        span.name
        for body in came["/v1/traces"]
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for span in resource.scope_spans[0].spans
    ]
    assert spans.count("POST /v1/chat/completions") == spans.count("chat m") == 2
    (resource,) = ExportMetricsServiceRequest.FromString(came["/v1/metrics"][-1]).resource_metrics
    assert {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"] == "gate"
    assert "lockgate.exchanges" in {metric.name for metric in resource.scope_metrics[0].metrics}


async def test_each_worker_counts_for_itself(policy: str) -> None:
    async with serving(policy, FINE, "--admin-port", "0", "--workers", "2") as process:
        pattern = r"metrics on (http://127\.0\.0\.1:\d+)/metrics"
        admins = [(await process.said(pattern, count))[1] for count in (1, 2)]
        assert len(set(admins)) == 2
        await asyncio.gather(*(ask(process) for _ in range(8)))
        assert sum([await answered(admin) for admin in admins]) == 8
        process.tell(signal.SIGTERM)
        assert await process.ended() == 0


@pytest.mark.parametrize(
    ("environment", "options", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, (), "OTEL_TRACES_EXPORTER is 'zipkin'"),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, (), "--admin-port"),
        ({}, ("--admin-port", "seven"), "admin_port"),
        ({}, ("--admin-port", "0", "--admin-host", "203.0.113.7"), "admin_port: 0 on 203.0.113.7 can't be had"),
        ({}, ("--provider", "a b"), "provider"),
    ],
)
async def test_what_is_wrong_is_said_at_the_start(
    policy: str, environment: dict[str, str], options: tuple[str, ...], said: str
) -> None:
    argv = ("serve", "--policy", policy, "--upstream", "http://127.0.0.1:9/v1", "--port", "0", *options)
    async with started(*argv, environment=environment) as process:
        assert await process.ended() == 2
        assert said in "".join(process.log)
