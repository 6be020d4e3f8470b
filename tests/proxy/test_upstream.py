"""The interface, and that what stands in for it in other tests keeps to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes import AsgiUpstream
from lockgate.errors import LockgateError
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.upstream import Upstream, UpstreamError
from serving import served


def test_errors_say_what_kind_they_are() -> None:
    error = UpstreamError("broken", "the upstream closed the connection", started=True)
    assert isinstance(error, LockgateError)
    assert (error.kind, error.started, str(error)) == ("broken", True, "the upstream closed the connection")
    assert not UpstreamError("timeout", "x").started


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the request's target and body, in two pieces; other paths misbehave."""
    if scope["type"] == "lifespan":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message.get("more_body", False)
    if scope["path"] == "/v1/dies":
        return
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]})
    await send({"type": "http.response.body", "body": scope["raw_path"] + b" ", "more_body": True})
    if scope["path"] == "/v1/cut":
        return
    if scope["path"] == "/v1/hangs":
        await asyncio.Event().wait()
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(params=["in process", "over sockets"])
async def upstream(request: pytest.FixtureRequest) -> AsyncIterator[Upstream]:
    if request.param == "in process":
        yield AsgiUpstream(echo)
        return
    async with served(echo, lifespan="off") as url:
        client = AiohttpUpstream(f"{url}/v1", timeout=5, idle_timeout=5)
        yield client
        await client.close()


async def test_an_exchange(upstream: Upstream) -> None:
    answer = await upstream.open("POST", "/v1/a%2Fb?c=d", [(b"content-type", b"text/plain")], b"body")
    assert answer.status == 201
    assert [pair for pair in answer.headers if pair[0] == b"x-a"] == [(b"x-a", b"1"), (b"x-a", b"2")]
    assert await answer.read(100) == b"/v1/a%2Fb body"
    answer.close()


async def test_a_body_in_pieces(upstream: Upstream) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    answer = await upstream.open("POST", "/v1/x", [], pieces())
    assert b"".join([piece async for piece in answer.chunks()]) == b"/v1/x onetwo"


async def test_limits_and_cuts(upstream: Upstream) -> None:
    for path, kind in (("/v1/long", "too_large"), ("/v1/cut", "broken")):
        answer = await upstream.open("POST", path, [], b"x" * 100)
        with pytest.raises(UpstreamError) as caught:
            await answer.read(50)
        assert (caught.value.kind, caught.value.started) == (kind, True)


async def test_an_answer_can_be_given_up(upstream: Upstream) -> None:
    answer = await upstream.open("POST", "/v1/hangs", [], b"x")
    pieces = answer.chunks()
    assert await anext(pieces) == b"/v1/hangs "
    waiting = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    answer.close()
    if isinstance(upstream, AsgiUpstream):
        assert upstream.cancelled == 1


async def test_an_application_that_does_not_answer() -> None:
    with pytest.raises(UpstreamError) as caught:
        await AsgiUpstream(echo).open("POST", "/v1/dies", [], b"")
    assert not caught.value.started
