"""Load: wrk where it is installed, else a generator of our own; and clients of streams.

All of it runs on the core of the process that calls it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

import texts
from rig import HERE, HOST, quantile

_KEY = "Bearer sk-benchmark"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Plain:
    """One measurement of plain requests. Times in milliseconds; `errors` are answers other than 200, and breaks."""

    rate: float
    p50: float
    p99: float
    requests: int
    errors: int


@dataclass
class Streamed:
    """One measurement of streams: text chunks that came, milliseconds until each stream's first one, broken streams."""

    chunks: int = 0
    first: list[float] = field(default_factory=list)
    errors: int = 0


def plain(url: str, headers: Mapping[str, str], connections: int, seconds: float, work: Path) -> Plain:
    """As many chat requests as `connections` connections can get answered in `seconds`."""
    if shutil.which("wrk") and seconds >= 1:  # wrk counts in whole seconds
        return _wrk(url, headers, connections, seconds, work)
    return uvloop.run(_own(url, headers, connections, seconds))


def _wrk(url: str, headers: Mapping[str, str], connections: int, seconds: float, work: Path) -> Plain:
    body = work / "request.json"
    body.write_bytes(texts.request())
    sent = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    command = [
        "wrk",
        "-t1",
        "--timeout",
        "30s",
        f"-c{connections}",
        f"-d{seconds:.0f}s",
        "-s",
        str(HERE / "post.lua"),
        *sent,
        url,
    ]
    run = subprocess.run(command, env={**os.environ, "BODY": str(body)}, capture_output=True, check=True)
    said = json.loads(run.stdout.splitlines()[-1])
    return Plain(
        said["requests"] / said["seconds"],
        said["p50_us"] / 1000,
        said["p99_us"] / 1000,
        said["requests"],
        said["errors"],
    )


class Asker(asyncio.Protocol):
    """One connection that asks again as soon as it was answered. `answered` gets the answer, and the milliseconds that it
    took."""

    def __init__(self, request: Callable[[], bytes], answered: Callable[[bytes, float], None]) -> None:
        self._request = request
        self._answered = answered
        self._buffer = b""
        self._since = 0.0
        self._left = -1  # bytes of the answer still to come; -1 while its head is not there

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        request = self._request()
        self._since = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_END)
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end + 2)
        whole = end + 4 + int(length[1]) if length else self._chunked(end + 4)
        if not whole or len(self._buffer) < whole:
            return
        self._answered(self._buffer, (time.perf_counter() - self._since) * 1000)
        self._buffer = b""
        self._ask()

    def _chunked(self, start: int) -> int:
        last = self._buffer.find(b"0\r\n\r\n", start)
        return last + 5 if last >= 0 else 0


async def _own(url: str, headers: Mapping[str, str], connections: int, seconds: float) -> Plain:
    request = asked(url, headers, texts.request())
    times: list[float] = []
    errors = 0

    def answered(answer: bytes, took: float) -> None:
        nonlocal errors
        times.append(took)
        errors += not answer.startswith(b"HTTP/1.1 200")

    took = await ask(url, lambda: Asker(lambda: request, answered), connections, seconds)
    return Plain(len(times) / took, quantile(times, 0.5), quantile(times, 0.99), len(times), errors)


async def ask(url: str, asker: Callable[[], Asker], connections: int, seconds: float) -> float:
    """Let so many of them ask for `seconds`; what is under way then is cut. The seconds that it took."""
    loop = asyncio.get_running_loop()
    port = urlsplit(url).port or 80
    begin = time.perf_counter()
    made = [await loop.create_connection(asker, HOST, port) for _ in range(connections)]
    await asyncio.sleep(seconds)
    for transport, _ in made:
        transport.abort()
    return time.perf_counter() - begin


def streamed(url: str, headers: Mapping[str, str], count: int, seconds: float, *, responses: bool = False) -> Streamed:
    """`count` streams at once, one after another on each connection, for `seconds`; what is under way is cut then. Of
    chats, or of the Responses API beside it."""
    if responses:
        url = url.replace("/chat/completions", "/responses")
    body = texts.responses_request() if responses else texts.request(stream=True)
    mark = b'"type":"response.output_text.delta"' if responses else b'"content":"'
    return uvloop.run(_streams(url, asked(url, headers, body), mark, count, seconds))


async def _streams(url: str, request: bytes, mark: bytes, count: int, seconds: float) -> Streamed:
    seen = Streamed()
    end = time.perf_counter() + seconds
    # Started apart, so that chunks come evenly and not in sixteens.
    clients = [asyncio.create_task(_client(url, request, mark, seen, end, i * 0.017)) for i in range(count)]
    await asyncio.gather(*clients)
    return seen


async def _client(url: str, request: bytes, mark: bytes, seen: Streamed, end: float, delay: float) -> None:
    await asyncio.sleep(delay)
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(HOST, target.port)
    try:
        async with asyncio.timeout(max(end - time.perf_counter(), 0)):
            while await _stream(reader, writer, request, mark, seen):
                pass
            seen.errors += 1
    except TimeoutError:
        pass  # the time is up
    except OSError:
        seen.errors += 1
    finally:
        writer.transport.abort()


async def _stream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, mark: bytes, seen: Streamed
) -> bool:
    """One stream to its end. False if it breaks, or is none."""
    begin = time.perf_counter()
    writer.write(request)
    first = False
    tail = b""
    while True:
        data = await reader.read(65_536)
        if not data or not (first or tail or data.startswith(b"HTTP/1.1 200")):
            return False
        found = data.count(mark)
        if found and not first:
            first = True
            seen.first.append((time.perf_counter() - begin) * 1000)
        seen.chunks += found
        tail = (tail + data)[-64:]
        if tail.endswith(b"0\r\n\r\n"):
            return first


def asked(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it stands on the wire."""
    target = urlsplit(url)
    sent = {
        "Host": target.netloc,
        "Content-Type": "application/json",
        "Authorization": _KEY,
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"POST {target.path} HTTP/1.1\r\n{lines}\r\n".encode() + body
