"""Upstreams that do as they are told.

`RawUpstream` is a socket with a script: what it does with each connection is written byte by byte. `AsgiUpstream` runs
an ASGI application in place of the network.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from lockgate_proxy.headers import Headers
from lockgate_proxy.upstream import Take, UpstreamError

# --- Bytes of HTTP ---------------------------------------------------------------------------------------------------


def http(body: bytes = b"", *headers: bytes, status: bytes = b"200 OK", length: bool = True) -> bytes:
    """An answer as it stands on the wire; `headers` are whole lines without their end."""
    lines = [b"HTTP/1.1 " + status, *headers]
    if length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def json_answer(value: Any, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return http(json.dumps(value).encode(), b"Content-Type: application/json", *headers, status=status)


def head(*headers: bytes, status: bytes = b"200 OK") -> bytes:
    """The head of a chunked answer, by default of an event stream."""
    lines = headers or (b"Content-Type: text/event-stream",)
    return http(b"", *lines, b"Transfer-Encoding: chunked", status=status, length=False)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
CHUNKED = http(b"", b"Transfer-Encoding: chunked", length=False)
"""The head of an answer whose body comes in chunks, and nothing more."""


# --- Bodies of the chat API ------------------------------------------------------------------------------------------


def chat_answer(*contents: str | None, **message: Any) -> dict[str, Any]:
    """A whole answer with one choice for each of `contents`; `message` is added to each message."""
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "fake-1",
        "choices": [
            {"index": i, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
            for i, text in enumerate(contents)
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def chat_chunk(delta: dict[str, Any] | None = None, *, index: int = 0, finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "fake-1",
        "choices": [{"index": index, "delta": delta or {}, "finish_reason": finish}],
    }


def chat_events(*pieces: str, finish: str | None = "stop", done: bool = True) -> list[bytes]:
    """The events of a streamed answer: a role, one content delta for each piece, the finish, [DONE]."""
    chunks = [chat_chunk({"role": "assistant", "content": ""}), *(chat_chunk({"content": piece}) for piece in pieces)]
    if finish is not None:
        chunks.append(chat_chunk(finish=finish))
    events = [b"data: " + json.dumps(value).encode() + b"\n\n" for value in chunks]
    return [*events, b"data: [DONE]\n\n"] if done else events


# --- A socket with a script ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Request:
    """What came in: `raw` is the head as received; header names in lower case."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Peer:
    """One connection, seen from the upstream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, owner: RawUpstream) -> None:
        self._reader = reader
        self._writer = writer
        self._owner = owner

    async def request(self) -> Request:
        """Read one request, and note it with the owner. Raises ConnectionError when no more comes."""
        raw = await self.request_head()
        line, *rest = raw.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ", 2)
        pairs = [row.split(":", 1) for row in rest if row]
        headers = [(name.lower(), value.strip()) for name, value in pairs]
        request = Request(method, target, headers, b"", raw)
        if request.header("transfer-encoding") == "chunked":
            request.body = await self._chunked()
        elif length := request.header("content-length"):
            request.body = await self._reader.readexactly(int(length))
        self._owner.requests.append(request)
        return request

    async def request_head(self) -> bytes:
        """Read a request's head alone; its body stays unread."""
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            raise ConnectionError from None

    async def read_some(self) -> bytes:
        return await self._reader.read(65536)

    async def _chunked(self) -> bytes:
        body = b""
        while True:
            size = int(await self._reader.readline(), 16)
            data = await self._reader.readexactly(size + 2)
            if not size:
                return body
            body += data[:-2]

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
        await self._writer.drain()

    async def send_apart(self, *parts: bytes) -> None:
        """Send so that each part is likely to come in by itself."""
        for part in parts:
            await self.send(part)
            await asyncio.sleep(0.003)

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        with suppress(ConnectionError):
            while await self._reader.read(65536):
                pass
        self._owner.gone.set()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Close with a RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


def replying(*answers: bytes | Sequence[bytes]) -> Script:
    """A script that reads requests, and answers each with the next of `answers`, the last one again and again.

    An answer is the bytes to send, or several of them to be sent one by one.
    """
    left = list(answers)

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            answer = left.pop(0) if len(left) > 1 else left[0]
            await (peer.send(answer) if isinstance(answer, bytes) else peer.send_apart(*answer))

    return script


def sends(*parts: bytes, reset: bool = False) -> Script:
    """A script that reads one request, sends `parts` one by one, and closes, or resets, the connection."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(*parts)
        if reset:
            peer.reset()

    return script


def hangs(*parts: bytes) -> Script:
    """A script that reads one request, sends `parts`, and then waits for the other side to close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*parts)
        await peer.gone()

    return script


async def until(condition: Callable[[], bool], *, seconds: float = 5) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.001)


@dataclass(slots=True)
class RawUpstream:
    """A server on 127.0.0.1 that runs `script` on each connection. When a script returns, its connection is closed.

    `requests` are those read with `Peer.request`, `connections` counts, `gone` is set when a script that waits with
    `Peer.gone` has seen the other side close.
    """

    script: Script
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._run(reader, writer))
        self._tasks.add(task)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self.script(Peer(reader, writer, self))
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


# --- An upstream in process ------------------------------------------------------------------------------------------

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class AsgiUpstream:
    """An `Upstream` over an ASGI application: no sockets. Requests are noted; `cancelled` counts answers given up."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self.requests: list[Request] = []
        self.cancelled = 0

    async def open(
        self, method: str, path: str, headers: Headers, body: bytes | AsyncIterator[bytes] | None = None
    ) -> AsgiAnswer:
        data = body or b""
        sent = data if isinstance(data, bytes) else b"".join([piece async for piece in data])
        named = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        self.requests.append(Request(method, path, named, sent, b""))
        answer = AsgiAnswer(self)
        raw, _, query = path.encode("latin-1").partition(b"?")
        scope = {"type": "http", "method": method, "path": raw.decode(), "raw_path": raw, "query_string": query}
        scope["headers"] = list(headers)
        answer.start(self._app(scope, answer.receiving(sent), answer.sent))
        try:
            await answer.ready()
        except BaseException:
            answer.close()
            raise
        return answer

    async def close(self) -> None:
        """Nothing is kept."""


class AsgiAnswer:
    """What the application sends, as an `Answer`."""

    def __init__(self, owner: AsgiUpstream) -> None:
        self.status = 0
        self.headers: Headers = []
        self._owner = owner
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()  # empty bytes: the application has returned
        self._started = asyncio.Event()
        self._whole = False
        self._task: asyncio.Task[None] | None = None

    def start(self, running: Awaitable[None]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(running))

    async def _run(self, running: Awaitable[None]) -> None:
        try:
            await running
        finally:
            self._started.set()
            self._queue.put_nowait(b"")

    async def ready(self) -> None:
        await self._started.wait()
        if not self.status:
            raise UpstreamError("broken", "the application did not answer")

    def receiving(self, body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
        left = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return left.pop() if left else await asyncio.get_running_loop().create_future()

        return receive

    async def sent(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
            self._started.set()
            return
        if message.get("body"):
            self._queue.put_nowait(message["body"])
        self._whole = not message.get("more_body", False)
        await asyncio.sleep(0)

    async def chunks(self, take: Take | None = None) -> AsyncGenerator[bytes, None]:
        try:
            while piece := await self._queue.get():
                yield piece
        except BaseException:
            self.close()
            raise
        if not self._whole:
            raise UpstreamError("broken", "the application stopped within its answer", started=True)

    async def read(self, limit: int) -> bytes:
        body = b""
        async for piece in self.chunks():
            body += piece
            if len(body) > limit:
                self.close()
                raise UpstreamError("too_large", f"the answer is larger than {limit} bytes", started=True)
        return body

    def close(self, abort: bool = True) -> None:
        if self._task is not None and not self._task.done():
            self._owner.cancelled += not self._whole
            self._task.cancel()
