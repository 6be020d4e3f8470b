"""An upstream's answer, as aiohttp's protocol gives it: watched for what the library does not tell, and its errors."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_parser import RawResponseMessage

from lockgate_proxy.headers import Headers
from lockgate_proxy.tap import Tap, can_tap
from lockgate_proxy.upstream import Take, UpstreamError

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class AiohttpAnswer:
    """An answer whose head has come over `connection`. Its connection goes back to the pool when the body has come, by
    `keeper` where aiohttp has made a response, else from here.

    What aiohttp does not tell: silence; a framing error in mid-body, which closes the connection but leaves the reader
    waiting; and a reset, which ends a body that runs until the connection closes as if it were whole.
    """

    __slots__ = (
        "_connection", "_content", "_framed", "_idle", "_keeper", "_length", "_lost", "_protocol", "_tap",
        "_timer", "_waiting",
        "headers", "status",
    )  # fmt: skip

    def __init__(
        self,
        status: int,
        message: RawResponseMessage | aiohttp.ClientResponse,
        content: aiohttp.StreamReader,
        connection: Connection | None,
        idle: float,
        *,
        keeper: aiohttp.ClientResponse | None = None,
    ) -> None:
        self.status = status
        self.headers: Headers = list(message.raw_headers)
        self._keeper = keeper
        self._content = content
        self._connection = connection
        self._protocol = connection.protocol if connection is not None else None
        self._idle = idle
        self._waiting = 0.0  # since when somebody waits for the next piece; 0 if nobody does
        self._timer: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[None] | None = None
        self._tap: Tap | None = None
        known = message.headers
        length = known.get("Content-Length", "")
        self._length = int(length) if length.isdecimal() else 0
        self._framed = bool(length) or "Transfer-Encoding" in known
        if keeper is None:
            content.on_eof(self._whole)

    async def chunks(self, take: Take | None = None) -> AsyncGenerator[bytes, None]:
        content = self._content
        loop = asyncio.get_running_loop()
        clock = loop.time
        tapped = take is not None and can_tap() and not content.is_eof()  # where all has come, nothing is waited for
        try:
            if not content.is_eof():
                self._watch()
            while True:
                self._waiting = clock()
                if tapped:
                    assert take is not None
                    self._tap = Tap(content, take, loop=loop)
                    piece = await self._tap.next()
                else:
                    piece = await content.readany() or None
                self._waiting = 0.0
                if piece is None:
                    break
                yield piece
            self._check_end()
        except BaseException as error:
            self.close()
            if isinstance(error, (aiohttp.ClientError, OSError)):
                raise failure(error, started=True) from None
            raise
        finally:
            self._unwatch()
            self._tap = None

    async def read(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        left = limit - self._length
        if left >= 0:
            left = limit
            content = self._content
            if content.is_eof() and self._framed and content.exception() is None:
                # It has come whole, with its head: the way of nearly every answer.
                pieces.append(content.read_nowait())
                left -= len(pieces[0])
            else:
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
        if self._timer is not None or self._lost is not None:
            self._unwatch()
        keeper = self._keeper
        connection = self._connection if keeper is None else keeper.connection
        if connection is None or connection.protocol is None:
            return
        if abort:
            if connection.transport is not None:
                connection.transport.abort()
            if keeper is not None:
                keeper.close()
        elif keeper is not None:
            keeper.release()
        connection.close()

    def _whole(self) -> None:
        """The last byte of the body has come in: the connection is free."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        transport = connection.transport
        if transport is not None and transport.get_write_buffer_size():
            connection.close()  # the upstream has answered what it did not take in
        else:
            connection.release()

    def _check_end(self) -> None:
        """A body that is neither counted nor chunked ends with its connection: cleanly, if it is whole."""
        if self._protocol is None or self._framed:
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
        content = self._content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError())

    def _on_idle(self) -> None:
        loop = asyncio.get_running_loop()
        since = max(self._waiting, self._tap.since) if self._tap is not None else self._waiting
        left = since + self._idle - loop.time() if self._waiting else self._idle
        if left > 0:
            self._timer = loop.call_later(left, self._on_idle)
        else:
            self._content.set_exception(aiohttp.SocketTimeoutError())


def _look_at(lost: asyncio.Future[None]) -> None:
    if not lost.cancelled():
        lost.exception()


def checked(answer: AiohttpAnswer) -> AiohttpAnswer:
    """The answer, if it can be passed on as it is. Raises UpstreamError, and closes it, if not."""
    coding = b""
    for name, value in answer.headers:
        if len(name) == 17 and name.lower() == b"transfer-encoding":
            coding += value
    problem = ""
    if _CONTROL.search(b"".join([value for _, value in answer.headers])):
        problem = "a header that HTTP does not allow"
    elif coding and coding.strip().lower() != b"chunked":
        problem = "a transfer coding that is not read here"
    elif not 200 <= answer.status <= 599:
        problem = "a status that means nothing here"
    if problem:
        answer.close()
        raise UpstreamError("protocol", f"the upstream's answer has {problem}")
    return answer


def failure(error: aiohttp.ClientError | OSError, *, started: bool = False) -> UpstreamError:
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
            return UpstreamError(
                "idle", "the upstream fell silent within its answer (stream_idle_timeout)", started=started
            )
        case TimeoutError():
            return UpstreamError("timeout", "the upstream did not answer in time (upstream_timeout)")
        case aiohttp.ClientResponseError():
            return UpstreamError("protocol", "the upstream's answer is not HTTP", started=started)
    where = "within its answer" if started else "before it answered"
    return UpstreamError("broken", f"the upstream closed the connection {where}", started=started)
