"""A client's connection: uvicorn's, with the limits that it leaves to others.

uvicorn (with httptools) takes a request's head of any size, and waits for the rest of it forever. Here a head has a
most, silence within a request has an end, and what can't be read as HTTP is answered in the shape that clients read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from lockgate_proxy import problems
from lockgate_proxy.admit import SERVER, Scope
from lockgate_proxy.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate_proxy.headers import Headers

MAX_HEAD = 64 * 1024
"""Most bytes of a request's line and headers."""

PATIENCE = 30.0
"""Seconds: until a request's head must be whole, and of silence within a body that we wait for."""

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class _HeadTooLargeError(Exception):
    """Raised within the parser, which then calls the request bad."""


class Connection(HttpToolsProtocol):
    """To be given to uvicorn as `http`. Applications find it as `scope["extensions"][SERVER]`, and may ask more of it
    than of ASGI: to be told when the client has `gone`, to `respond` at once, and to `write` a part of a stream where it is `ready`."""

    max_head = MAX_HEAD
    patience = PATIENCE

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._used = False
        self._in_head = True
        self._began = False  # a head began within the data at hand
        self._head = 0  # bytes of an unfinished head that came after those with which it began
        self._size = 0  # bytes of the data at hand
        self._too_large = False
        self._offer = b""  # the head of a request that offers another protocol, less the offer
        self._timer: asyncio.TimerHandle | None = None
        self.gone: Callable[[], None] | None = None
        self._running: RequestResponseCycle | None = None  # the request that is being answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        if self.gone is not None and self._running is not None and not self._running.response_complete:
            self.gone()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope: Scope = cycle.scope  # type: ignore[assignment]
        scope["extensions"] = {SERVER: self}
        self._running = cycle
        self.gone = None
        super()._start_asgi_task(cycle, app)

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer, as ASGI's two messages would. `headers` are ours or checked, in lower case, with the
        body's length."""
        cycle = self._running
        assert cycle is not None
        if cycle.response_started or cycle.scope["method"] == "HEAD" or not cycle.keep_alive:
            await cycle.send({"type": "http.response.start", "status": status, "headers": headers})
            await cycle.send({"type": "http.response.body", "body": body, "more_body": False})
            return
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if cycle.disconnected:
            return
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        lines = [b"%b: %b\r\n" % pair for pair in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()

    def ready(self) -> bool:
        """Whether a part of a streamed body can be written without waiting: its head has gone, and the client is there
        and keeps up. Otherwise ASGI's `send` is the way."""
        cycle = self._running
        return (
            cycle is not None
            and cycle.chunked_encoding is True
            and cycle.response_started
            and not (self.flow.write_paused or cycle.disconnected or cycle.response_complete)
        )

    def write(self, part: bytes) -> None:
        """Write a part that is not empty, as one chunk."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(part), part))

    def data_received(self, data: bytes) -> None:
        self._began = False
        self._size = len(data)
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.send_400_response("")
        if self.transport.is_closing():
            self._stop_timer()
        elif self._in_head:
            # The parser may hold one endless header, of which it has told nothing yet.
            if not self._began:
                self._head += self._size
            if self._head > self.max_head:
                self._answer(_too_large(self.max_head))
            elif self._timer is None or self._began:
                self._stop_timer()
                self._start_timer()
        elif self._waits_for_body():
            self._stop_timer()
            self._start_timer()
        elif self._busy():
            self._stop_timer()
        elif self._timer is None:
            # A body that goes on behind its answer, or line ends before the next head: the base would wait forever.
            self._start_timer()

    def _parse(self, data: bytes) -> None:
        """Have the parser read `data`. It stops behind a head that offers another protocol, and would take the body for
        that protocol's. Nobody has to accept an offer: the request is read as one that makes none."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                head, self._offer = self._offer, b""
                if not head:
                    return  # CONNECT: what follows is no HTTP
                data = head + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def _without_offer(self) -> bytes:
        """The head that was read, less its offer."""
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        fields = [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([line, *fields, b"", b""])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._used = self._in_head = self._began = True
        self._head = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        # A head that came with less than it may have is counted no further: that is nearly all of them.
        if (
            self._head + self._size > self.max_head
            and len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers]) > self.max_head
        ):
            self._too_large = True
            raise _HeadTooLargeError
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._offer = self._without_offer()
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._offer:
            return
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # a connection that is not read from does not tell that it was closed

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the base's signature
        """What the base calls when the parser gives up."""
        if self._too_large:
            self._answer(_too_large(self.max_head))
        else:
            self._answer(problems.bad_request("this is not an HTTP request", code="invalid_http"))

    def _waits_for_body(self) -> bool:
        return self._busy() and self.cycle.more_body

    def _busy(self) -> bool:
        """An earlier request is being answered: nothing may be written in between."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _on_silence(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if not self._used:
            self.transport.close()  # a connection that was never used
        elif (self._in_head and self._busy()) or self.flow.read_paused:
            self._start_timer()  # it is not the client who is waited for
        elif self._in_head or self._waits_for_body():
            self._answer(problems.bad_request("the request did not come in time", code="timeout", status=408))
        elif not self._busy():
            self.transport.close()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.patience, self._on_silence)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answer(self, problem: Problem) -> None:
        """Say what is wrong, and close. In the middle of another answer, only close."""
        self._stop_timer()
        answering = self._busy() and (self._in_head or self.cycle.response_started or bool(self.pipeline))
        if not answering:
            lines = [b"HTTP/1.1 %d %s" % (problem.status, _REASONS[problem.status])]
            lines += [name + b": " + value for name, value in problem.headers]
            self.transport.write(b"\r\n".join([*lines, b"connection: close", b"", b""]) + problem.body)
        self.transport.close()


def _too_large(limit: int) -> Problem:
    return problems.bad_request(
        f"the request's headers are larger than {limit} bytes", code="headers_too_large", status=431
    )
