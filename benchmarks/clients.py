"""What a request to the upstream costs in CPU, by client: ours, bare aiohttp, httpx over aiohttp, httpx.

Run `python benchmarks/clients.py`. The upstream is a process of its own; where there are two cores, each has one. All
clients take turns, so that a busy machine slows each of them alike; the table gives medians. A client that is not
installed is left out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import cast

import aiohttp
import uvloop

from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.headers import answer_headers, request_headers

ROUNDS, REQUESTS, STREAMS, AT_ONCE, CHUNKS = 7, 1600, 32, 16, 100
BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"y" * 550 + b'"}]}'
ANSWER = b'{"object":"chat.completion","choices":[{"message":{"content":"' + b"x" * 500 + b'"}}]}'
EVENT = b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
HEADERS = [
    (b"host", b"here"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"authorization", b"Bearer made-up"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"OpenAI/Python"),
    *((b"x-stainless-" + name, b"value") for name in (b"lang", b"os", b"arch", b"runtime", b"async")),
    (b"accept", b"application/json"),
    (b"content-length", b"600"),
]
Ask = Callable[[str], Awaitable[int]]


class _Upstream(asyncio.Protocol):
    """Answers each request as soon as it is whole; a path that ends in /stream with events, 5 ms apart."""

    def __init__(self) -> None:
        self._held = b""
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour, not by class

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._held += data
        head, found, body = self._held.partition(b"\r\n\r\n")
        if not found or len(body) < len(BODY):
            return
        self._held = b""
        if b"/stream HTTP" in head:
            self._tasks.add(asyncio.get_running_loop().create_task(self._stream(self._transport)))
        else:
            lines = (
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: r\r\ncontent-length: %d\r\n\r\n"
            )
            self._transport.write(lines % len(ANSWER) + ANSWER)

    async def _stream(self, transport: asyncio.Transport) -> None:
        transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(CHUNKS):
            transport.write(b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
            await asyncio.sleep(0.005)
        transport.write(b"0\r\n\r\n")


async def serve(listening: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(_Upstream, sock=listening)
    await server.serve_forever()


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Ask]:
    client = AiohttpUpstream(f"{url}/v1", timeout=600, idle_timeout=300)

    async def ask(path: str) -> int:
        answer = await client.open("POST", path, request_headers(HEADERS, identity=True), BODY)
        answer_headers(answer.headers)
        return sum([len(piece) async for piece in answer.chunks()])

    yield ask
    await client.close()


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Ask]:
    connector = aiohttp.TCPConnector(limit=0)
    headers = [(name.decode(), value.decode()) for name, value in request_headers(HEADERS, identity=True)]
    async with aiohttp.ClientSession(auto_decompress=False, connector=connector) as session:

        async def ask(path: str) -> int:
            async with session.post(url + path, data=BODY, headers=headers, allow_redirects=False) as answer:
                return sum([len(piece) async for piece in answer.content.iter_any()])

        yield ask


@asynccontextmanager
async def with_httpx(url: str, *, over_aiohttp: bool) -> AsyncIterator[Ask]:
    import httpx

    transport = None
    if over_aiohttp:
        # No package of ours: it is compared where it is installed.
        transport = import_module("httpx_aiohttp").AiohttpTransport(
            client=lambda: aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    headers = request_headers(HEADERS, identity=True)
    async with httpx.AsyncClient(transport=transport, limits=limits, timeout=600) as client:

        async def ask(path: str) -> int:
            async with client.stream("POST", url + path, content=BODY, headers=headers) as answer:
                return sum([len(piece) async for piece in answer.aiter_raw()])

        yield ask


async def cost(ask: Ask, path: str, count: int) -> float:
    """CPU microseconds of this process for each of `count` requests."""

    async def some() -> None:
        for _ in range(count // AT_ONCE):
            await ask(path)

    start = time.process_time()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return (time.process_time() - start) / count * 1e6


async def measure(url: str) -> None:
    async with AsyncExitStack() as stack:
        clients = {"ours": await stack.enter_async_context(ours(url))}
        clients["aiohttp"] = await stack.enter_async_context(bare(url))
        if importlib.util.find_spec("httpx_aiohttp"):
            clients["httpx over aiohttp"] = await stack.enter_async_context(with_httpx(url, over_aiohttp=True))
        if importlib.util.find_spec("httpx"):
            clients["httpx"] = await stack.enter_async_context(with_httpx(url, over_aiohttp=False))
        whole: dict[str, list[float]] = {name: [] for name in clients}
        pieces: dict[str, list[float]] = {name: [] for name in clients}
        for _ in range(ROUNDS):
            for name, ask in clients.items():
                whole[name].append(await cost(ask, "/v1/whole", REQUESTS))
                pieces[name].append(await cost(ask, "/v1/stream", STREAMS) / CHUNKS)
    print(f"{'client':<20}{'µs a request':>14}{'ratio':>8}{'µs a chunk':>14}{'ratio':>8}")
    base, base_piece = statistics.median(whole["aiohttp"]), statistics.median(pieces["aiohttp"])
    for name in clients:
        one, piece = statistics.median(whole[name]), statistics.median(pieces[name])
        print(f"{name:<20}{one:>14.0f}{one / base:>8.2f}{piece:>14.1f}{piece / base_piece:>8.2f}")


def main() -> None:
    cores = sorted(os.sched_getaffinity(0))
    # The socket listens before the process that serves it is there: nobody has to wait for it.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, handle = listening.getsockname()[1], listening.fileno()
        command = [sys.executable, __file__, "serve", str(handle), str(cores[0])]
        upstream = subprocess.Popen(command, pass_fds=[handle])
    try:
        os.sched_setaffinity(0, {cores[-1]})
        uvloop.run(measure(f"http://127.0.0.1:{port}"))
    finally:
        upstream.terminate()
        upstream.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        os.sched_setaffinity(0, {int(sys.argv[3])})
        uvloop.run(serve(socket.socket(fileno=int(sys.argv[2]))))
    else:
        main()
