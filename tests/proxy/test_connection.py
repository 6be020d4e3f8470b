from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes import until
from lockgate_proxy.admit import SERVER
from lockgate_proxy.connection import Connection
from serving import served

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\n"


class Short(Connection):
    max_head = 2048
    patience = 0.2


class App:
    """Answers each request with its body's length, once `go` is set."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.gone = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope["raw_path"])
        body, more = b"", scope["raw_path"] != b"/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            body += message["body"]
            more = message["more_body"]
        await self.go.wait()
        said = b"%d" % len(body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
        await send({"type": "http.response.body", "body": said})


class Client:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
            await asyncio.sleep(0.002)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(5):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            return int(head[0].split()[1]), headers, await self._reader.readexactly(int(headers["content-length"]))

    async def rest(self) -> bytes:
        """What still comes until the server closes."""
        async with asyncio.timeout(5):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    @property
    def closed(self) -> bool:
        return self._reader.at_eof() or self._writer.transport.is_closing()

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    async with served(app, http=Short, lifespan="off") as url:
        client = Client(*await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])))
        yield client
        client.close()


async def refused(client: Client, status: int, code: str) -> None:
    got, headers, body = await client.answer()
    assert (got, json.loads(body)["error"]["code"]) == (status, code)
    assert headers["connection"] == "close"
    assert await client.rest() == b""


async def test_ordinary_requests(client: Client, app: App) -> None:
    for _ in range(3):
        await client.send(POST + b"Content-Length: 3\r\n\r\nabc")
        assert (await client.answer())[2] == b"3"
        await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\nab\r\n", b"0\r\n\r\n")
        assert (await client.answer())[2] == b"2"
    assert len(app.seen) == 6


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


@pytest.mark.parametrize(
    ("framing", "said"),
    [
        ((b"Content-Length: 3\r\n\r\nabc",), b"3"),
        ((b"Content-Length: 3\r\n\r\n", b"a", b"bc"), b"3"),
        ((b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", b"0\r\n\r\n"), b"2"),
        ((b"\r\n",), b"0"),
    ],
)
async def test_an_offer_of_another_protocol_is_passed_over(
    client: Client, app: App, framing: tuple[bytes, ...], said: bytes
) -> None:
    for _ in range(2):
        await client.send(POST + OFFER + framing[0], *framing[1:])
        assert (await client.answer())[2] == said
    await client.send((POST + OFFER + b"".join(framing)) * 50)
    assert [(await client.answer())[2] for _ in range(50)] == [said] * 50
    assert len(app.seen) == 52


async def test_pipelined_requests(client: Client, app: App) -> None:
    await client.send((POST + b"Content-Length: 3\r\n\r\nabc") * 5)
    assert [(await client.answer())[2] for _ in range(5)] == [b"3"] * 5


async def test_a_large_body_in_one_piece_with_its_head(client: Client) -> None:
    await client.send(POST + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000 + GET + b"\r\n")
    assert (await client.answer())[2] == b"60000"
    assert (await client.answer())[2] == b"0"


@pytest.mark.parametrize(
    "parts",
    [
        [GET + b"X: " + b"x" * 3000 + b"\r\n\r\n"],
        [GET, b"X: ", b"x" * 1500, b"x" * 1500],
        [GET + b"".join(b"X-%d: y\r\n" % i for i in range(300)) + b"\r\n"],
        [b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n\r\n"],
        [b"GET /", b"a" * 1500, b"a" * 1500],
    ],
)
async def test_a_head_that_is_too_large(client: Client, app: App, parts: list[bytes]) -> None:
    await client.send(*parts)
    await refused(client, 431, "headers_too_large")
    assert app.seen == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,  # TLS
        b"hello\r\n\r\n",
        b"GET /a HTTP/1.1\nHost: x\n\n",  # bare LF
        GET + b"A: b\r\n c\r\n\r\n",  # a folded line
        GET + b"A : b\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        POST + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        GET + b"A: b\x00c\r\n\r\n",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 1a\r\n\r\n",
    ],
)
async def test_what_is_not_http(client: Client, app: App, request_bytes: bytes) -> None:
    await client.send(request_bytes)
    await refused(client, 400, "invalid_http")
    assert app.seen == []


async def test_a_head_that_does_not_end(client: Client, app: App) -> None:
    await client.send(b"GET / HT", b"TP/1.1\r\n", b"A: b\r\n")
    await refused(client, 408, "timeout")
    assert app.seen == []


async def test_a_head_has_one_deadline_however_it_trickles(client: Client, app: App) -> None:
    await client.send(GET)
    for _ in range(500):
        if client.closed:
            break
        await client.send(b"A: b\r\n")
    # What is still under way when the server closes may cost the client the answer, never the server a request.
    assert (await client.rest())[9:12] in {b"408", b""}
    assert app.seen == []


async def test_a_second_head_that_does_not_end(client: Client) -> None:
    await client.send(GET + b"\r\n")
    await client.answer()
    await client.send(b"GET /")
    await refused(client, 408, "timeout")


async def test_a_body_that_does_not_end(client: Client, app: App) -> None:
    await client.send(POST + b"Content-Length: 10\r\n\r\nabc")
    await refused(client, 408, "timeout")
    await until(lambda: app.gone == 1)


async def test_a_body_may_be_slow(client: Client) -> None:
    await client.send(POST + b"Content-Length: 120\r\n\r\n", *[b"a"] * 120)
    assert (await client.answer())[2] == b"120"


async def test_a_connection_that_is_never_used(client: Client) -> None:
    assert await client.rest() == b""


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        (GET + b"\r\n", b"\r\n"),
        (GET + b"\r\n", b"\r"),
        (b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", b"a"),
        (b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    ],
)
async def test_what_comes_behind_an_answer_and_does_not_go_on(client: Client, asked: bytes, then: bytes) -> None:
    await client.send(asked)
    await client.answer()
    await client.send(then)
    assert await client.rest() == b""


async def test_a_body_that_trickles_behind_its_answer_has_an_end(client: Client) -> None:
    await client.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    await client.answer()
    for _ in range(500):
        if client.closed:
            break
        await client.send(b"a")
    assert client.closed


async def test_line_ends_before_a_second_head(client: Client) -> None:
    await client.send(GET + b"\r\n")
    await client.answer()
    await client.send(b"\r\n", GET + b"\r\n")
    assert (await client.answer())[2] == b"0"


async def test_an_answer_may_take_its_time(client: Client, app: App) -> None:
    app.go.clear()
    await client.send(GET + b"\r\n")
    await asyncio.sleep(0.3)
    app.go.set()
    assert (await client.answer())[0] == 200


async def test_half_a_second_request_does_not_end_the_first_answer(client: Client, app: App) -> None:
    app.go.clear()
    await client.send(GET + b"\r\n", b"GET /")
    await asyncio.sleep(0.3)
    app.go.set()
    assert (await client.answer())[0] == 200


async def test_nothing_is_written_into_another_answer(client: Client, app: App) -> None:
    app.go.clear()
    await client.send(GET + b"\r\n", b"nonsense\r\n\r\n")
    assert await client.rest() == b""


class Asking:
    """An application that asks more of the server than ASGI has."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.status = 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        server = scope["extensions"][SERVER]
        server.gone = self.left.set
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/wait":
            await self.left.wait()
            return
        await server.respond(self.status, [(b"x-a", b"1"), (b"content-length", b"2")], b"ok")


@pytest.fixture
async def asking() -> AsyncIterator[tuple[Client, Asking]]:
    app = Asking()
    async with served(app, http=Short, lifespan="off") as url:
        client = Client(*await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])))
        yield client, app
        client.close()


async def test_a_whole_answer_at_once(asking: tuple[Client, Asking]) -> None:
    client, app = asking
    for app.status in (200, 404, 599):
        await client.send(GET + b"\r\n")
        assert await client.answer() == (app.status, {"x-a": "1", "content-length": "2"}, b"ok")
    await client.send((POST + b"Content-Length: 3\r\n\r\nabc") * 3)
    assert [(await client.answer())[2] for _ in range(3)] == [b"ok"] * 3
    assert not app.left.is_set()


async def test_a_whole_answer_to_a_client_that_wants_no_more(asking: tuple[Client, Asking]) -> None:
    client, _ = asking
    await client.send(GET + b"Connection: close\r\n\r\n")
    assert await client.answer() == (200, {"x-a": "1", "content-length": "2", "connection": "close"}, b"ok")
    assert await client.rest() == b""


async def test_a_whole_answer_to_head_has_no_body(asking: tuple[Client, Asking]) -> None:
    client, _ = asking
    await client.send(b"HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await client.rest()).endswith(b"content-length: 2\r\nconnection: close\r\n\r\n")


@pytest.mark.parametrize("size", [0, 10, 70_000, 1_000_000])
async def test_a_client_that_leaves_is_told_of_at_once(asking: tuple[Client, Asking], size: int) -> None:
    client, app = asking
    await client.send(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    client.close()
    async with asyncio.timeout(5):
        await app.left.wait()
