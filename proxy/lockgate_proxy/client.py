"""The upstream over aiohttp's session."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from lockgate.errors import SettingsError, WireError
from lockgate_proxy.answer import AiohttpAnswer, checked, failure
from lockgate_proxy.direct import MAX_HEADER, READ_AT_ONCE, Direct
from lockgate_proxy.headers import Headers
from lockgate_proxy.paths import target
from lockgate_proxy.upstream import Answer

_CONNECT = 30.0  # seconds for a connection, TLS included
_KEEP = 15.0  # seconds that an idle connection is kept
_PIECE = 64 * 1024  # bytes that are written at once


class AiohttpUpstream:
    """The upstream at `base`, a URL without a slash at its end.

    `timeout` is for an answer to begin, counted from when the last piece of the request was there to be sent;
    `idle_timeout` for the silence within an answer while someone waits for it; both in seconds. `ca` is a file of
    certificates to trust in place of the system's. Connections are made within the first `open`'s event loop.
    """

    def __init__(self, base: str, *, timeout: float, idle_timeout: float, ca: Path | None = None) -> None:
        self._base = base
        self._timeout = timeout
        self._idle = idle_timeout
        self._tls: ssl.SSLContext | bool = _tls(ca) if base.startswith("https:") else True
        self._session: aiohttp.ClientSession | None = None
        self._direct: Direct | None = None

    async def open(
        self, method: str, path: str, headers: Headers, body: bytes | AsyncIterator[bytes] | None = None
    ) -> Answer:
        session = self._session or self._start()
        if body and method == "POST" and isinstance(body, bytes):
            assert self._direct is not None
            return await self._direct.post(path, headers, body)
        url = URL(target(path.encode("utf-8", "surrogatepass"), self._base), encoded=True)
        payload = _Body(body, self._timeout) if body else None
        try:
            sent = [(name.decode("ascii"), value.decode()) for name, value in headers]
            async with asyncio.timeout(self._timeout) as deadline:
                if payload is not None:
                    payload.deadline = deadline
                response = await session.request(
                    method, url, headers=sent, data=payload, allow_redirects=False, ssl=self._tls
                )
                if payload is not None:
                    payload.deadline = None  # met; an upload that still goes on has nothing to move
        except BaseException as error:
            if payload is not None:
                payload.cut()
                if payload.failure is not None and isinstance(error, aiohttp.ClientError):
                    raise payload.failure from None
            if isinstance(error, (aiohttp.ClientError, OSError)):
                raise failure(error) from None
            if isinstance(error, ValueError):
                # aiohttp's words would show the header.
                raise WireError("the method or a header can't be sent on as it is", code="invalid_header") from None
            raise
        content, connection = response.content, response.connection
        return checked(AiohttpAnswer(response.status, response, content, connection, self._idle, keeper=response))

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _start(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=_KEEP),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(_CONNECT, self._timeout)),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_AT_ONCE,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )
        self._direct = Direct(self._base, self._session, tls=self._tls, timeout=self._timeout, idle=self._idle)
        return self._session


class _Connector(aiohttp.TCPConnector):
    """A pool that never hands out a connection on which the upstream spoke unasked.

    aiohttp keeps what comes in on an idle connection, and would take it for the answer to the next request: somebody
    else's answer, if the upstream lost count.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._newest: ResponseHandler | None = None

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        self._newest = protocol = await super()._create_connection(req, traces, timeout)
        return protocol

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - the base's signature
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            # Nothing is awaited between the making of a connection and this.
            new, self._newest = protocol is self._newest, None
            if protocol is None or not protocol.should_close:
                return connection
            connection.close()
            if new:
                raise aiohttp.ServerConnectionError  # a new connection, and it spoke first


class _Body(aiohttp.Payload):
    """A request's body, written piece by piece.

    It remembers the transport, so that an upload that the upstream does not take can be cut off, and moves the
    deadline with each piece that comes.
    """

    _autoclose = True

    def __init__(self, value: bytes | AsyncIterator[bytes], patience: float) -> None:
        super().__init__(value)
        self._size = len(value) if isinstance(value, bytes) else None
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self.deadline: asyncio.Timeout | None = None
        self.failure: Exception | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - the base's signature
        raise TypeError("a body is bytes")

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._transport = getattr(writer, "transport", None)
        if not isinstance(self._value, bytes):
            self._consumed = True  # never sent twice
            await self._pass_on(writer, content_length)
        elif len(self._value) <= _PIECE:
            await writer.write(self._value)
        else:
            view = memoryview(self._value)
            for start in range(0, len(view), _PIECE):
                await writer.write(view[start : start + _PIECE])

    async def _pass_on(self, writer: AbstractStreamWriter, length: int | None) -> None:
        pieces = aiter(self._value)
        count = 0
        while True:
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                break
            except Exception as error:
                self.failure = error
                raise
            count += len(piece)
            if length is not None and count > length:
                break
            await writer.write(piece)
            if self.deadline is not None and not self.deadline.expired():
                self.deadline.reschedule(asyncio.get_running_loop().time() + self._patience)
        if length is not None and count != length:
            # Sent as it is, it would leave the upstream waiting, or be taken for the start of another request.
            self.failure = WireError("the body is not as long as its content-length says", code="invalid_length")
            raise self.failure

    def cut(self) -> None:
        """Close the connection, also where the upstream does not take what was written."""
        if self._transport is not None:
            self._transport.abort()


def _tls(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise SettingsError("upstream_ca: is not a file of PEM certificates; give one") from None
