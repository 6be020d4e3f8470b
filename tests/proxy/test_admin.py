"""The admin port on a socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lockgate.telemetry.metrics import Metrics
from lockgate_proxy.admin import listening, make_admin
from proxied import Client, Reply, request


@asynccontextmanager
async def administered(metrics: Metrics | None = None) -> AsyncIterator[str]:
    bound = socket.create_server(("127.0.0.1", 0))
    host, port = bound.getsockname()
    async with listening(make_admin(metrics or Metrics(), lambda: {"status": "ready", "counts": {"n": 1}}), bound):
        yield f"http://{host}:{port}"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), timeout=1)


async def asked(base: str, method: str, target: str, *headers: str) -> Reply:
    client = await Client.to(base)
    try:
        await client.send(request(method, target, *headers, length=False))
        return await client.reply(method)
    finally:
        client.close()


async def test_a_scrape() -> None:
    metrics = Metrics()
    metrics.ended("chat", "answered", 200, {"prompt": 0.1})
    async with administered(metrics) as base:
        first = await asked(base, "GET", "/metrics", "Accept: application/openmetrics-text")
        metrics.ended("chat", "answered", 200, {})
        again = await asked(base, "GET", "/metrics")
    assert first.status == 200
    assert first.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert first.header("cache-control") == "no-store"
    assert first.header("server") is None
    counted = [
        sample.value
        for reply in (first, again)
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
        if sample.name == "lockgate_exchanges_total"
    ]
    assert counted == [1, 2]


async def test_the_health_checks() -> None:
    async with administered() as base:
        assert (await asked(base, "GET", "/healthz")).json == {"status": "ok"}
        assert (await asked(base, "GET", "/readyz")).json == {"status": "ready", "counts": {"n": 1}}
        assert (await asked(base, "HEAD", "/healthz")).status == 200


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("POST", "/metrics", 405), ("GET", "/", 404), ("GET", "/v1/chat/completions", 404), ("GET", "/metrics/", 404)],
)
async def test_nothing_else_is_there(method: str, target: str, status: int) -> None:
    async with administered() as base:
        reply = await asked(base, method, target)
    # Starlette sends a path with one slash too many to the one without.
    assert reply.status in {status, 307}


async def test_what_is_not_http_does_not_hurt() -> None:
    async with administered() as base:
        client = await Client.to(base)
        await client.send(b"\x16\x03\x01 hello\r\n\r\n")
        assert (await client.reply()).status == 400
        client.close()
        assert (await asked(base, "GET", "/healthz")).status == 200
