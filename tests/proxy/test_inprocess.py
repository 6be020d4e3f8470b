"""Exchanges within a program, with handlers that do as they are told. The real ones are in test_guarding.py."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from lockgate.telemetry.spans import Tracing
from lockgate_proxy.admit import Receive, Scope, Send, read_body
from lockgate_proxy.inprocess import AsyncExchange, SyncExchange, scope_of
from lockgate_proxy.routes import Handler
from lockgate_proxy.settings import Settings
from lockgate_proxy.upstream import Upstream, UpstreamError
from lockgate_proxy.visit import Context
from saying import plan_of, rule, words

URL = "http://model.example/v1/chat/completions?a=b%2Fc"
REQUEST = httpx2.Request("POST", URL, content=b"{}", headers={"X-Name": "value"})
NOWHERE: Upstream = None  # type: ignore[assignment]
CONTEXT = Context(
    Settings.read(policy="p", upstream="http://localhost/v1"),
    plan_of(rule("stop", words("plugh"), "refuse")),
    NOWHERE,
    Tracing(),
)
START = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]}


def body(piece: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": piece, "more_body": more}


Run = Callable[..., Any]


@pytest.fixture(params=[True, False], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a handler to the end of its answer; gives its status, headers and body. `most` pieces, then it is closed."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=httpx2.ByteStream(b"from upstream"))

    def run(handler: Handler, most: int | None = None) -> tuple[int, str | None, list[bytes]]:
        transport = httpx2.MockTransport(answer)
        got: list[bytes] = []
        if request.param:
            with httpx2.Client(transport=transport) as client:
                response = SyncExchange(CONTEXT, handler, client, REQUEST, None).start()
                stream: Any = response.stream
                for piece in stream:
                    got.append(piece)
                    if len(got) == most:
                        break
                stream.close()
                assert list(stream) == []
            return response.status_code, response.headers.get("x-a"), got

        async def later() -> tuple[int, str | None, list[bytes]]:
            async with httpx2.AsyncClient(transport=transport) as client:
                response = await AsyncExchange(CONTEXT, handler, client, REQUEST, None).start()
                stream: Any = response.stream
                async for piece in stream:
                    got.append(piece)
                    if len(got) == most:
                        break
                await stream.aclose()
                assert [piece async for piece in stream] == []
            return response.status_code, response.headers.get("x-a"), got

        return asyncio.run(later())

    return run


def test_a_request_is_as_a_server_would_have_received_it() -> None:
    assert scope_of(REQUEST) == {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"a=b%2Fc",
        "headers": [(b"host", b"model.example"), (b"x-name", b"value"), (b"content-length", b"2")],
    }


def test_what_a_handler_sends_is_the_answer(run: Run) -> None:
    async def handler(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
        read = await read_body(receive, scope["headers"], 100)
        answer = await context.upstream.open("POST", scope["path"], [(b"x-name", b"value")], read.plain)
        await send(START)
        await send(body(await answer.read(100)))
        await send(body(b""))
        await send(body(b"!", more=False))
        answer.close()
        await context.upstream.close()

    assert run(handler) == (200, "1", [b"from upstream", b"!"])


def test_one_who_stops_early_cancels_the_handler(run: Run) -> None:
    ended: list[str] = []

    async def handler(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(START)
            await send(body(b"one"))
            await receive()
            await receive()  # nothing comes after the body
        finally:
            ended.append("cancelled")

    assert run(handler, most=1) == (200, "1", [b"one"])
    assert ended == ["cancelled"]


def test_an_answer_that_is_too_large(run: Run) -> None:
    seen: list[UpstreamError] = []

    async def handler(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await context.upstream.open("POST", scope["path"], [])
        try:
            await answer.read(4)
        except UpstreamError as error:
            seen.append(error)
        await send(START)

    assert run(handler) == (200, "1", [])
    assert [(error.kind, error.started) for error in seen] == [("too_large", True)]


def test_a_handler_that_breaks_before_its_answer(run: Run) -> None:
    async def handler(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
        raise ConnectionError("secret")

    with pytest.raises(httpx2.RemoteProtocolError, match=r"^the guard failed within the answer"):
        run(handler)


def test_a_handler_that_breaks_within_its_answer(run: Run) -> None:
    async def handler(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"one"))
        raise ConnectionError("secret")

    with pytest.raises(httpx2.RemoteProtocolError, match=r"^the guard failed within the answer"):
        run(handler)


def test_a_handler_that_says_nothing(run: Run) -> None:
    async def handler(context: Context, scope: Scope, receive: Receive, send: Send) -> None:
        """Nothing."""

    with pytest.raises(httpx2.RemoteProtocolError, match="the guard gave no answer"):
        run(handler)


_LOADS = """
import sys
from lockgate_proxy import guarded
print(sorted({"aiohttp", "starlette", "uvicorn", "openai"} & set(sys.modules)))
"""


def test_no_server_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADS], timeout=60, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
