"""The upstream of the benchmarks: fixed answers, plain and streamed, for as little CPU time as Python can.

    python benchmarks/upstream.py --port 9000 [--chunks 100] [--interval 0.01] [--varied TOKENS]

A request that says `"stream": true` gets `--chunks` text chunks, `--interval` seconds apart, the first at once; any
other gets one JSON answer: always the same one, or with `--varied` another one each time, of so many tokens.
`GET /readyz` says that it is there.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
from collections.abc import Callable, Mapping
from typing import cast

import uvloop

import texts

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_STREAM = re.compile(rb'"stream": ?true')
_RESPONSES = re.compile(rb"POST \S*/responses ")
_HEAD_END = b"\r\n\r\n"


def plain(content: str | None = None) -> bytes:
    """The whole plain answer as it stands on the wire."""
    body = texts.answer(content)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: req_5b1f\r\n\r\n"
    return head % len(body) + body


def pieces(chunks: int) -> list[bytes]:
    """A streamed answer, as what is written at each tick."""
    return _ticks(texts.events(chunks), before=0, behind=2)


def responses_pieces(chunks: int) -> list[bytes]:
    """The same of the Responses API."""
    return _ticks(texts.responses_events(chunks), before=4, behind=4)


def _ticks(said: list[bytes], *, before: int, behind: int) -> list[bytes]:
    """Events as they are written: those `before` the first chunk with it, those `behind` the last one at the end."""
    events = [b"%x\r\n%b\r\n" % (len(event), event) for event in said]
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
        b"transfer-encoding: chunked\r\nx-request-id: req_5b1f\r\n\r\n"
    )
    last = b"".join(events[-behind:]) + b"0\r\n\r\n"
    return [head + b"".join(events[: before + 1]), *events[before + 1 : -behind], last]


Streams = Mapping[bytes, list[bytes]]
"""API → a streamed answer, as what is written at each tick."""


class Upstream(asyncio.Protocol):
    """One connection. Requests are answered in order; a streamed answer is the last thing asked for in its time."""

    def __init__(self, plain_answer: Callable[[], bytes], streams: Streams, interval: float) -> None:
        self._plain = plain_answer
        self._streams = streams
        self._stream = streams[b"chat"]
        self._interval = interval
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by behaviour, not by class.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the base's signature
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (length := self._whole()) > 0:
            request, self._buffer = self._buffer[:length], self._buffer[length:]
            if _STREAM.search(request) is not None:
                self._stream = self._streams[b"responses" if _RESPONSES.match(request) else b"chat"]
                self._begin()
            else:
                self._transport.write(self._plain())

    def _whole(self) -> int:
        """The length of the first request in the buffer; 0 while it is not there whole."""
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return 0
        end += len(_HEAD_END)
        counted = _LENGTH.search(self._buffer, 0, end)
        if counted is not None:
            end += int(counted[1])
            return end if len(self._buffer) >= end else 0
        if _CHUNKED.search(self._buffer, 0, end) is not None:
            last = self._buffer.find(b"0\r\n\r\n", end)
            return last + 5 if last >= 0 else 0
        return end

    def _begin(self) -> None:
        self._tick(0, self._loop.time())

    def _tick(self, number: int, start: float) -> None:
        self._transport.write(self._stream[number])
        number += 1
        if number < len(self._stream):
            self._timer = self._loop.call_at(start + number * self._interval, self._tick, number, start)


def answers(varied: int) -> Callable[[], bytes]:
    """What gives the next plain answer."""
    if varied:
        draw = random.Random(1)  # noqa: S311 - which words, no secret
        return lambda: plain(texts.varied(varied, draw))
    fixed = plain()
    return lambda: fixed


async def serve(port: int, chunks: int, interval: float, varied: int) -> None:
    answer, streams = answers(varied), {b"chat": pieces(chunks), b"responses": responses_pieces(chunks)}
    server = await asyncio.get_running_loop().create_server(
        lambda: Upstream(answer, streams, interval), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="the upstream of the benchmarks")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--interval", type=float, default=0.01)
    parser.add_argument("--varied", type=int, default=0, metavar="TOKENS")
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.chunks, given.interval, given.varied))


if __name__ == "__main__":
    main()
