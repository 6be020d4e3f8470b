"""The upstream over aiohttp's session."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from lockgate.errors import SettingsError, WireError
from lockgate_proxy.headers import Headers
from lockgate_proxy.paths import target
from lockgate_proxy.upstream import Answer, UpstreamError

_CONNECT = 30.0  # seconds for a connection, TLS included
_KEEP = 15.0  # seconds that an idle connection is kept
_PIECE = 64 * 1024  # bytes: what is written at once, and half of what is held for a slow reader
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER = 64 * 1024  # bytes of one header line of an answer


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

    async def open(
        self, method: str, path: str, headers: Headers, body: bytes | AsyncIterator[bytes] | None = None
    ) -> Answer:
        url = URL(target(path.encode("utf-8", "surrogatepass"), self._base), encoded=True)
        payload = _Body(body, self._timeout) if body else None
        session = self._session or self._start()
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
                raise _failure(error) from None
            if isinstance(error, ValueError):
                # aiohttp's words would show the header.
                raise WireError("the method or a header can't be sent on as it is", code="invalid_header") from None
            raise
        return _checked(_Answer(response, self._idle), response)

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
            read_bufsize=_PIECE,
            max_line_size=_HEADER,
            max_field_size=_HEADER,
        )
        return self._session


class _Connector(aiohttp.TCPConnector):
    """A pool that never hands out a connection on which the upstream spoke unasked.

    aiohttp keeps what comes in on an idle connection, and would take it for the answer to the next request: somebody
    else's answer, if the upstream lost count.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._known: WeakSet[ResponseHandler] = WeakSet()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - the base's signature
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or not protocol.should_close:
                if protocol is not None:
                    self._known.add(protocol)
                return connection
            connection.close()
            if protocol not in self._known:
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


class _Answer:
    """aiohttp's response, watched for what it does not tell.

    That is silence; a framing error in mid-body, which closes the connection but leaves the reader waiting; and a
    reset, which ends a body that runs until the connection closes as if it were whole.
    """

    __slots__ = ("_idle", "_lost", "_protocol", "_response", "_timer", "_waiting", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, idle: float) -> None:
        self.status = response.status
        self.headers: Headers = list(response.raw_headers)
        self._response = response
        self._idle = idle
        self._waiting = 0.0  # since when somebody waits for the next piece; 0 if nobody does
        self._timer: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[None] | None = None
        connection = response.connection
        self._protocol = connection.protocol if connection is not None else None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        content = self._response.content
        clock = asyncio.get_running_loop().time
        try:
            if not content.is_eof():
                self._watch()
            while True:
                self._waiting = clock()
                piece = await content.readany()
                self._waiting = 0.0
                if not piece:
                    break
                yield piece
            self._check_end()
        except BaseException as error:
            self.close()
            if isinstance(error, (aiohttp.ClientError, OSError)):
                raise _failure(error, started=True) from None
            raise
        finally:
            self._unwatch()

    async def read(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        left = limit - (self._response.content_length or 0)
        if left >= 0:
            left = limit
            async for piece in self.chunks():
                pieces.append(piece)
                left -= len(piece)
                if left < 0:
                    break
        if left < 0:
            self.close()
            raise UpstreamError("too_large", f"the upstream's answer is larger than {limit} bytes", started=True)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self, abort: bool = True) -> None:
        self._unwatch()
        response, connection = self._response, self._response.connection
        if connection is None:
            return
        if abort:
            if connection.transport is not None:
                connection.transport.abort()
            response.close()
        else:
            response.release()

    def _check_end(self) -> None:
        """A body that is neither counted nor chunked ends with its connection: cleanly, if it is whole."""
        known = self._response.headers
        if self._protocol is None or "Content-Length" in known or "Transfer-Encoding" in known:
            return
        if isinstance(self._protocol.exception(), aiohttp.ClientOSError):
            raise aiohttp.ClientPayloadError

    def _watch(self) -> None:
        if self._protocol is not None:
            self._lost = self._protocol.closed
            if self._lost is None:
                self._on_lost(None)
            else:
                self._lost.add_done_callback(self._on_lost)
        self._timer = asyncio.get_running_loop().call_later(self._idle, self._on_idle)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lost is not None:
            # The future stays with the connection; asyncio would log an error in it that nobody has looked at.
            self._lost.remove_done_callback(self._on_lost)
            self._lost.remove_done_callback(_look_at)
            self._lost.add_done_callback(_look_at)
            self._lost = None

    def _on_lost(self, lost: asyncio.Future[None] | None) -> None:
        if lost is not None:
            _look_at(lost)
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError())

    def _on_idle(self) -> None:
        loop = asyncio.get_running_loop()
        left = self._waiting + self._idle - loop.time() if self._waiting else self._idle
        if left > 0:
            self._timer = loop.call_later(left, self._on_idle)
        else:
            self._response.content.set_exception(aiohttp.SocketTimeoutError())


def _look_at(lost: asyncio.Future[None]) -> None:
    if not lost.cancelled():
        lost.exception()


def _checked(answer: _Answer, response: aiohttp.ClientResponse) -> Answer:
    """The answer, if it can be passed on as it is."""
    if _CONTROL.search(b"".join([value for _, value in answer.headers])):
        answer.close()
        raise UpstreamError("protocol", "the upstream's answer has a header that HTTP does not allow")
    coding = response.headers.get("Transfer-Encoding")
    if coding is not None and coding.strip().lower() != "chunked":
        answer.close()
        raise UpstreamError("protocol", "the upstream's answer has a transfer coding that is not read here")
    if not 200 <= answer.status <= 599:
        answer.close()
        raise UpstreamError("protocol", "the upstream's answer has a status that means nothing here")
    return answer


def _tls(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise SettingsError("upstream_ca: is not a file of PEM certificates; give one") from None


def _failure(error: aiohttp.ClientError | OSError, *, started: bool = False) -> UpstreamError:
    """Our error for aiohttp's, whose own words may hold a URL or a header."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return UpstreamError("unreachable", "the upstream's certificate can't be verified")
        case aiohttp.ClientConnectorSSLError():
            return UpstreamError("unreachable", "the upstream does not speak TLS as it should")
        case aiohttp.ClientConnectorDNSError():
            return UpstreamError("unreachable", "the upstream's name can't be resolved")
        case aiohttp.ClientConnectorError():
            why = os.strerror(error.errno).lower() if error.errno else "no connection"
            return UpstreamError("unreachable", f"the upstream can't be reached: {why}")
        case aiohttp.ConnectionTimeoutError():
            return UpstreamError("unreachable", "the upstream can't be reached: no connection in time")
        case aiohttp.SocketTimeoutError():
            return UpstreamError("idle", "the upstream fell silent within its answer", started=started)
        case TimeoutError():
            return UpstreamError("timeout", "the upstream did not answer in time")
        case aiohttp.ClientResponseError():
            return UpstreamError("protocol", "the upstream's answer is not HTTP", started=started)
    where = "within its answer" if started else "before it answered"
    return UpstreamError("broken", f"the upstream closed the connection {where}", started=started)
