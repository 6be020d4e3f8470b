"""A request whose body is at hand, sent without aiohttp's objects for requests and responses.

Those are made for many uses, and cost more than everything else that aiohttp does for a request. The pool, connections,
TLS, the parser and flow control are aiohttp's.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cached_property, lru_cache

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from lockgate.errors import WireError
from lockgate_proxy.answer import AiohttpAnswer, checked, failure
from lockgate_proxy.headers import Headers
from lockgate_proxy.paths import target
from lockgate_proxy.upstream import UpstreamError

READ_AT_ONCE = 64 * 1024
"""Bytes of an answer, half of what is held for a slow reader."""
MAX_HEADER = 64 * 1024
"""Bytes of one header line of an answer."""


class _Where(aiohttp.ClientRequest):
    """What a connector asks of a request: where to connect to. It is made once."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key


class Direct:
    """Sends POST requests to the upstream at `base`. `timeout` and `idle` are seconds, as in `AiohttpUpstream`."""

    def __init__(
        self, base: str, session: aiohttp.ClientSession, *, tls: ssl.SSLContext | bool, timeout: float, idle: float
    ) -> None:
        url = URL(base, encoded=True)
        connector = session.connector
        assert connector is not None
        self._loop = asyncio.get_running_loop()
        self._connector = connector
        self._where = _Where("POST", url, loop=self._loop, session=session, ssl=tls)
        self._patience = aiohttp.ClientTimeout(connect=timeout, sock_connect=session.timeout.sock_connect)
        self._timeout = timeout
        self._idle = idle
        self._base = base
        self._origin = len(str(url.origin()))
        self._host = url.host_port_subcomponent or ""
        self._head = lru_cache(64)(self._line)

    def _line(self, path: str) -> bytes:
        """The request line and `Host`, for a client's path."""
        where = target(path.encode("utf-8", "surrogatepass"), self._base)[self._origin :]
        if not where.startswith("/"):
            where = "/" + where
        return f"POST {where} HTTP/1.1\r\nHost: {self._host}".encode("ascii")

    async def post(self, path: str, headers: Headers, body: bytes) -> AiohttpAnswer:
        """Send, and wait for the answer's head. Errors as of `Upstream.open`."""
        head = _with_headers(self._head(path), headers, len(body))
        deadline = self._loop.time() + self._timeout
        connection: Connection | None = None
        try:
            connection = await self._connector.connect(self._where, [], self._patience)
            return checked(await self._asked(connection, head, body, deadline))
        except BaseException as error:
            if connection is not None:
                if connection.transport is not None:
                    connection.transport.abort()  # also where the upstream does not take what was written
                connection.close()
            elif isinstance(error, TimeoutError):
                raise failure(aiohttp.ConnectionTimeoutError()) from None
            if isinstance(error, HttpProcessingError):
                raise UpstreamError("protocol", "the upstream's answer is not HTTP") from None
            if isinstance(error, (aiohttp.ClientError, OSError)):
                raise failure(error) from None
            raise

    async def _asked(self, connection: Connection, head: bytes, body: bytes, deadline: float) -> AiohttpAnswer:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=READ_AT_ONCE,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )
        transport.writelines((head, body))
        timer = self._loop.call_at(deadline, protocol.set_exception, TimeoutError())
        try:
            while True:
                message, content = await protocol.read()
                if message.code >= 200 or message.code == 101:
                    break
        finally:
            timer.cancel()
        return AiohttpAnswer(message.code, message, content, connection, self._idle)


def _with_headers(line: bytes, headers: Headers, length: int) -> bytes:
    lines = [line]
    lines += [b"%b: %b" % pair for pair in headers]
    lines.append(b"Content-Length: %d\r\n\r\n" % length)
    head = b"\r\n".join(lines)
    ends = len(lines) + 1 + line.count(b"\n")
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise WireError("the method or a header can't be sent on as it is", code="invalid_header")
    return head
