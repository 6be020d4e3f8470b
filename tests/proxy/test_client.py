from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from fakes import LAST_CHUNK, Peer, RawUpstream, Script, chunk, head, http, replying
from lockgate.errors import SettingsError, WireError
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.upstream import UpstreamError

AUTH = [(b"authorization", b"Bearer sk-made-up"), (b"content-type", b"application/json")]
CHUNKED = http(b"", b"Transfer-Encoding: chunked", length=False)


def to(url: str, *, timeout: float = 5, idle: float = 5, ca: Path | None = None) -> AiohttpUpstream:
    return AiohttpUpstream(url, timeout=timeout, idle_timeout=idle, ca=ca)


async def failing(script: Script, *, timeout: float = 5, idle: float = 5) -> UpstreamError:
    """The error that a request meets, whether at its head or in its body."""
    async with RawUpstream(script) as upstream:
        client = to(upstream.url, timeout=timeout, idle=idle)
        try:
            with pytest.raises(UpstreamError) as caught:
                await (await client.open("POST", "/v1/x", AUTH, b"{}")).read(1 << 20)
        finally:
            await client.close()
    assert "sk-made-up" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


async def fetched(answer: bytes | list[bytes], method: str = "GET") -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    async with RawUpstream(replying(answer)) as upstream:
        client = to(upstream.url)
        got = await client.open(method, "/v1/x", [])
        body = await got.read(1 << 20)
        await client.close()
    return got.status, got.headers, body


async def closed_by(act: Callable[[AiohttpUpstream], Awaitable[None]], script: Script) -> RawUpstream:
    """Run `act` until it waits, cancel it, and see the upstream's connection close."""
    async with RawUpstream(script) as upstream:
        client = to(upstream.url)
        task = asyncio.ensure_future(act(client))
        async with asyncio.timeout(5):
            while not upstream.requests:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await upstream.gone.wait()
        await client.close()
    return upstream


def open_sockets() -> int:
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += str(entry.readlink()).startswith("socket:")
    return found


class TestWhatIsSent:
    async def test_headers_and_body_go_out_as_they_are(self) -> None:
        headers = [*AUTH, (b"x-a", b"1"), (b"x-b", b"\xc3\xbc"), (b"x-a", b"2"), (b"traceparent", b"00-1-2-01")]
        async with RawUpstream(replying(http(b"ok"))) as upstream:
            client = to(upstream.url)
            await (await client.open("POST", "/v1/chat/completions?a=%2F", headers, b'{"a": 1}')).read(100)
            await client.close()
        (request,) = upstream.requests
        assert request.raw.split(b"\r\n") == [
            b"POST /v1/chat/completions?a=%2F HTTP/1.1",
            b"Host: 127.0.0.1:%d" % upstream.port,
            b"authorization: Bearer sk-made-up",
            b"content-type: application/json",
            b"x-a: 1",
            b"x-b: \xc3\xbc",
            b"x-a: 2",
            b"traceparent: 00-1-2-01",
            b"Content-Length: 8",
            b"",
            b"",
        ]
        assert request.body == b'{"a": 1}'

    @pytest.mark.parametrize(
        "path", ["/v1/models/a%2Fb%20c:d", "/v1/x?q=a+b%2B&r=%C3%BC", "/v1/a//b", "/v1/f%c3%bc", "/v1/~a'(b)*!,@"]
    )
    async def test_paths_arrive_as_written(self, path: str) -> None:
        async with RawUpstream(replying(http())) as upstream:
            client = to(upstream.url)
            await (await client.open("GET", path, [])).read(100)
            await client.close()
        assert upstream.requests[0].target == path

    async def test_a_request_without_a_body_has_none(self) -> None:
        async with RawUpstream(replying(http())) as upstream:
            client = to(upstream.url)
            await (await client.open("GET", "/v1/models", [])).read(100)
            await client.close()
        assert upstream.requests[0].raw == b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % upstream.port

    @pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
    async def test_bodies_of_any_size(self, size: int) -> None:
        body = bytes(i & 0xFF for i in range(size))
        async with RawUpstream(replying(http())) as upstream:
            client = to(upstream.url)
            await (await client.open("POST", "/v1/x", [], body)).read(100)
            await client.close()
        assert upstream.requests[0].body == body
        assert upstream.requests[0].header("content-length") == str(size)

    async def test_a_body_is_passed_on_as_it_comes(self) -> None:
        arrived = asyncio.Event()

        async def script(peer: Peer) -> None:
            assert b"chunked" in await peer.request_head()
            assert await peer.read_some() == b"3\r\none\r\n"
            arrived.set()
            rest = b""
            while not rest.endswith(LAST_CHUNK):
                rest += await peer.read_some()
            await peer.send(http(rest))

        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            await arrived.wait()
            yield b"two"

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            answer = await client.open("POST", "/v1/files", [], pieces())
            assert await answer.read(100) == b"3\r\ntwo\r\n0\r\n\r\n"
            await client.close()

    async def test_a_passed_on_body_may_keep_its_length(self) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        async with RawUpstream(replying(http())) as upstream:
            client = to(upstream.url)
            await (await client.open("POST", "/v1/files", [(b"content-length", b"6")], pieces())).read(100)
            assert upstream.requests[0].body == b"onetwo"
            assert upstream.requests[0].header("transfer-encoding") is None
            for wrong in (b"5", b"7"):
                with pytest.raises(WireError):
                    await client.open("POST", "/v1/files", [(b"content-length", wrong)], pieces())
            await client.close()

    async def test_what_a_body_raises_is_raised(self) -> None:
        class GoneError(Exception):
            pass

        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            raise GoneError

        async def script(peer: Peer) -> None:
            await peer.request_head()
            await peer.gone()

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            with pytest.raises(GoneError):
                await client.open("POST", "/v1/files", [], pieces())
            async with asyncio.timeout(5):
                await upstream.gone.wait()
            await client.close()

    @pytest.mark.parametrize(
        ("method", "headers"),
        [
            ("GET", [(b"x", b"a\r\nb: c")]),
            ("GET", [(b"x", b"a\x00b")]),
            ("GET", [(b"x", b"\xff")]),
            ("GET", [(b"\xff", b"a")]),
            ("G T", []),
        ],
    )
    async def test_what_http_does_not_allow_is_refused(self, method: str, headers: list[tuple[bytes, bytes]]) -> None:
        async with RawUpstream(replying(http())) as upstream:
            client = to(upstream.url)
            with pytest.raises(WireError) as caught:
                await client.open(method, "/v1/x", headers)
            await client.close()
        assert caught.value.status == 400
        assert upstream.requests == []


class TestWhatComesBack:
    async def test_headers_and_bytes_come_as_they_are(self) -> None:
        body = gzip.compress(b"hello")
        lines = [b"Content-Encoding: gzip", b"Set-Cookie: a=1; Path=/", b"set-cookie: b=2", b"X-Request-ID: r \xc3\xbc"]
        status, headers, got = await fetched(http(body, *lines, status=b"429 Too Many"))
        assert (status, got) == (429, body)
        assert headers == [
            (b"Content-Encoding", b"gzip"),
            (b"Set-Cookie", b"a=1; Path=/"),
            (b"set-cookie", b"b=2"),
            (b"X-Request-ID", b"r \xc3\xbc"),
            (b"Content-Length", str(len(body)).encode()),
        ]

    async def test_redirects_are_answers(self) -> None:
        async with RawUpstream(replying(http(b"", b"Location: /v1/y", status=b"307 T"))) as upstream:
            client = to(upstream.url)
            answer = await client.open("POST", "/v1/x", [], b"{}")
            assert (answer.status, await answer.read(10)) == (307, b"")
            await client.close()
        assert len(upstream.requests) == 1

    async def test_cookies_are_not_kept(self) -> None:
        async with RawUpstream(replying(http(b"", b"Set-Cookie: a=1"))) as upstream:
            client = to(upstream.url.replace("127.0.0.1", "localhost"))
            for _ in range(2):
                await (await client.open("GET", "/v1/x", [])).read(10)
            await client.close()
        assert upstream.requests[1].header("cookie") is None

    async def test_early_hints_are_skipped(self) -> None:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        status, headers, body = await fetched([hints, http(b"ok")])
        assert (status, headers, body) == (200, [(b"Content-Length", b"2")], b"ok")

    @pytest.mark.parametrize(
        ("method", "answer"),
        [
            ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"),
            ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
            ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n"),
        ],
    )
    async def test_answers_without_a_body(self, method: str, answer: bytes) -> None:
        _, _, body = await fetched(answer, method)
        assert body == b""

    async def test_a_body_that_runs_until_the_connection_closes(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send_apart(b"HTTP/1.0 200 OK\r\n\r\none", b"two")

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            assert await (await client.open("GET", "/v1/x", [])).read(100) == b"onetwo"
            await client.close()

    async def test_pieces_come_as_they_are_sent(self) -> None:
        go = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(head(), chunk(b"data: one\n\n"))
            await go.wait()
            await peer.send(chunk(b"data: two\n\n"), LAST_CHUNK)
            await peer.gone()

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            pieces = (await client.open("POST", "/v1/x", [], b"{}")).chunks()
            assert await anext(pieces) == b"data: one\n\n"
            go.set()
            assert await anext(pieces) == b"data: two\n\n"
            with pytest.raises(StopAsyncIteration):
                await anext(pieces)
            await client.close()

    async def test_large_headers(self) -> None:
        _, headers, _ = await fetched(http(b"", b"X-Big: " + b"x" * 60_000))
        assert len(headers[0][1]) == 60_000

    async def test_read_stops_at_its_limit(self) -> None:
        for answer in (http(b"x" * 101), CHUNKED + chunk(b"x" * 60) + chunk(b"x" * 60) + LAST_CHUNK):
            async with RawUpstream(replying(answer)) as upstream:
                client = to(upstream.url)
                with pytest.raises(UpstreamError) as caught:
                    await (await client.open("GET", "/v1/x", [])).read(100)
                assert (caught.value.kind, caught.value.started) == ("too_large", True)
                await client.close()
        _, _, body = await fetched(http(b"x" * 100))
        assert len(body) == 100


def sends(*parts: bytes, reset: bool = False) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(*parts)
        if reset:
            peer.reset()

    return script


def hangs(*parts: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*parts)
        await peer.gone()

    return script


async def speaks_first(peer: Peer) -> None:
    await peer.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    await peer.gone()


class TestWhatGoesWrong:
    async def test_refused(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        client = to(f"http://127.0.0.1:{port}/v1")
        with pytest.raises(UpstreamError) as caught:
            await client.open("POST", "/v1/x", AUTH, b"{}")
        assert caught.value.kind == "unreachable"
        assert "refused" in str(caught.value)
        await client.close()

    async def test_unknown_name(self) -> None:
        client = to("http://nowhere.invalid/v1")
        with pytest.raises(UpstreamError) as caught:
            await client.open("POST", "/v1/x", AUTH, b"{}")
        assert caught.value.kind == "unreachable"
        assert "nowhere" not in str(caught.value)
        await client.close()

    @pytest.mark.parametrize(
        ("script", "kind"),
        [
            (sends(), "broken"),
            (sends(reset=True), "broken"),
            (sends(b"HTTP/1.1 200 OK\r\nConte"), "broken"),
            (sends(b"HTTP/1.1 200 OK\r\nConte", reset=True), "broken"),
            (sends(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol"),
            (sends(b"<html>hello</html>\r\n\r\n"), "protocol"),
            (sends(b"HTTP/1.1 200 OK\r\nX-A: b\x00c\r\n\r\n"), "protocol"),
            (sends(b"HTTP/1.1 200 OK\r\nX-A: b\rX-B: c\r\n\r\n"), "protocol"),
            (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "protocol"),
            (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "protocol"),
            (sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), "protocol"),
            (sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na"), "protocol"),
            (sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"), "protocol"),
            (sends(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "protocol"),
            (sends(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), "protocol"),
        ],
    )
    async def test_before_the_answer(self, script: Script, kind: str) -> None:
        error = await failing(script)
        assert (error.kind, error.started) == (kind, False)

    async def test_an_upstream_that_speaks_first(self) -> None:
        async with RawUpstream(speaks_first) as upstream:
            client = to(upstream.url)
            with pytest.raises(UpstreamError) as caught:
                await client.open("POST", "/v1/x", AUTH, b"{}")
            assert caught.value.kind in {"broken", "protocol"}
            await client.close()

    @pytest.mark.parametrize("reset", [False, True])
    @pytest.mark.parametrize(
        "parts",
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"short"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",),
            (CHUNKED, chunk(b"data: a\n\n")),
            (CHUNKED + chunk(b"data: a\n\n"),),
            (CHUNKED, b"20\r\nhalf a chunk"),
            (CHUNKED, chunk(b"a"), b"0\r\n"),
            (CHUNKED, chunk(b"a"), b"zz\r\nno size\r\n"),
            (CHUNKED, chunk(b"a"), b"2\r\nabcd\r\n"),
        ],
    )
    async def test_within_the_answer(self, parts: tuple[bytes, ...], reset: bool) -> None:
        error = await failing(sends(*parts, reset=reset))
        assert (error.kind, error.started) == ("broken", True)

    async def test_a_framing_error_does_not_wait_for_the_upstream_to_close(self) -> None:
        error = await failing(hangs(CHUNKED, chunk(b"a"), b"zz\r\n"))
        assert error.kind in {"broken", "protocol"}

    async def test_a_reset_is_not_the_end_of_a_body_without_length(self) -> None:
        error = await failing(sends(b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two", reset=True))
        assert (error.kind, error.started) == ("broken", True)

    @pytest.mark.parametrize("parts", [(), (b"HTTP/1.1 200",), (b"HTTP/1.1 200 OK\r\nX: y\r\n",)])
    async def test_silence_before_the_answer(self, parts: tuple[bytes, ...]) -> None:
        error = await failing(hangs(*parts), timeout=0.03)
        assert (error.kind, error.started) == ("timeout", False)

    @pytest.mark.parametrize("parts", [(CHUNKED,), (CHUNKED, chunk(b"a")), (http(b"short", length=False),)])
    async def test_silence_within_the_answer(self, parts: tuple[bytes, ...]) -> None:
        error = await failing(hangs(*parts), idle=0.03)
        assert (error.kind, error.started) == ("idle", True)

    async def test_idle_counts_silence_only(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send_apart(CHUNKED, *[chunk(b"a")] * 20, LAST_CHUNK)

        async with RawUpstream(script) as upstream:
            client = to(upstream.url, idle=0.03)
            answer = await client.open("GET", "/v1/x", [])
            assert await answer.read(100) == b"a" * 20
            await client.close()

    async def test_a_slow_reader_is_not_an_idle_upstream(self) -> None:
        async with RawUpstream(hangs(CHUNKED, chunk(b"a"), chunk(b"b"), LAST_CHUNK)) as upstream:
            client = to(upstream.url, idle=0.02)
            got = b""
            async for piece in (await client.open("GET", "/v1/x", [])).chunks():
                got += piece
                await asyncio.sleep(0.05)
            assert got == b"ab"
            await client.close()


class TestCancelling:
    async def test_while_waiting_for_the_answer(self) -> None:
        async def act(client: AiohttpUpstream) -> None:
            await client.open("POST", "/v1/x", [], b"{}")

        await closed_by(act, hangs())

    async def test_while_waiting_for_a_chunk(self) -> None:
        async def act(client: AiohttpUpstream) -> None:
            async for _ in (await client.open("POST", "/v1/x", [], b"{}")).chunks():
                pass

        await closed_by(act, hangs(CHUNKED, chunk(b"a")))

    async def test_while_reading_whole(self) -> None:
        async def act(client: AiohttpUpstream) -> None:
            await (await client.open("POST", "/v1/x", [], b"{}")).read(100)

        await closed_by(act, hangs(CHUNKED, chunk(b"a")))

    async def test_while_the_upstream_does_not_take_the_body(self) -> None:
        stuck = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request_head()
            stuck.set()
            await asyncio.Event().wait()  # the rest is never read, so that no close can be seen from here

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            task = asyncio.ensure_future(client.open("POST", "/v1/x", [], b"x" * 30_000_000))
            async with asyncio.timeout(5):
                await stuck.wait()
                await asyncio.sleep(0.05)  # the buffers on the way are full now
                open_before = open_sockets()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                while open_sockets() >= open_before:
                    await asyncio.sleep(0.001)
            await client.close()

    async def test_closing_an_answer(self) -> None:
        for abort in (True, False):
            async with RawUpstream(hangs(CHUNKED, chunk(b"a"))) as upstream:
                client = to(upstream.url)
                answer = await client.open("POST", "/v1/x", [], b"{}")
                pieces = answer.chunks()
                assert await anext(pieces) == b"a"
                answer.close(abort)
                answer.close(abort)
                async with asyncio.timeout(5):
                    await upstream.gone.wait()
                await pieces.aclose()
                await client.close()


class TestConnections:
    async def test_one_connection_serves_many_requests(self) -> None:
        async with RawUpstream(replying(http(b"a"), CHUNKED + chunk(b"b") + LAST_CHUNK, http(b"c"))) as upstream:
            client = to(upstream.url)
            got = [await (await client.open("POST", "/v1/x", [], b"{}")).read(10) for _ in range(5)]
            await client.close()
        assert got == [b"a", b"b", b"c", b"c", b"c"]
        assert upstream.connections == 1

    async def test_a_whole_answer_can_be_closed_and_its_connection_used_again(self) -> None:
        async with RawUpstream(replying(http(b"a"))) as upstream:
            client = to(upstream.url)
            for _ in range(3):
                answer = await client.open("POST", "/v1/x", [], b"{}")
                await answer.read(10)
                answer.close()
            await client.close()
        assert upstream.connections == 1

    async def test_an_answer_that_nobody_asked_for_is_nobodys(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(http(b"asked for"))
            await asyncio.sleep(0.01)
            await peer.send(http(b"somebody else's"))
            await peer.gone()

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            for _ in range(3):
                assert await (await client.open("GET", "/v1/x", [])).read(100) == b"asked for"
                await asyncio.sleep(0.03)
            await client.close()
        assert upstream.connections == 3

    async def test_a_post_is_never_sent_twice(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            peer.close()

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            with pytest.raises(UpstreamError):
                await client.open("POST", "/v1/x", [], b"{}")
            await client.close()
        assert len(upstream.requests) == 1

    async def test_two_hundred_streams_at_once(self) -> None:
        go = asyncio.Event()

        async def script(peer: Peer) -> None:
            request = await peer.request()
            await peer.send(head(), chunk(request.body))
            await go.wait()
            await peer.send_apart(*[chunk(request.body)] * 3, LAST_CHUNK)

        async def stream(client: AiohttpUpstream, name: bytes) -> bytes:
            answer = await client.open("POST", "/v1/x", [], name)
            return await answer.read(1000)

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            names = [b"<%d>" % i for i in range(220)]
            tasks = [asyncio.ensure_future(stream(client, name)) for name in names]
            async with asyncio.timeout(20):
                while len(upstream.requests) < len(names):
                    await asyncio.sleep(0.005)
                go.set()
                assert await asyncio.gather(*tasks) == [name * 4 for name in names]
            await client.close()

    async def test_a_client_can_be_closed_twice_and_used_again(self) -> None:
        async with RawUpstream(replying(http(b"a"))) as upstream:
            client = to(upstream.url)
            await client.close()
            for _ in range(2):
                assert await (await client.open("GET", "/v1/x", [])).read(10) == b"a"
                await client.close()


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def server(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return context

    async def test_a_known_authority(self, authority: trustme.CA, server: ssl.SSLContext, tmp_path: Path) -> None:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        async with RawUpstream(replying(http(b"safe")), server) as upstream:
            client = to(upstream.url, ca=tmp_path / "ca.pem")
            for _ in range(2):
                assert await (await client.open("POST", "/v1/x", AUTH, b"{}")).read(10) == b"safe"
            await client.close()
        assert upstream.connections == 1

    async def test_an_unknown_authority(self, server: ssl.SSLContext) -> None:
        async with RawUpstream(replying(http(b"safe")), server) as upstream:
            client = to(upstream.url)
            with pytest.raises(UpstreamError) as caught:
                await client.open("POST", "/v1/x", AUTH, b"{}")
            await client.close()
        assert caught.value.kind == "unreachable"
        assert "certificate" in str(caught.value)
        assert upstream.requests == []

    async def test_another_hosts_certificate(self, authority: trustme.CA, tmp_path: Path) -> None:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("elsewhere.test").configure_cert(context)
        async with RawUpstream(replying(http(b"safe")), context) as upstream:
            client = to(upstream.url, ca=tmp_path / "ca.pem")
            with pytest.raises(UpstreamError) as caught:
                await client.open("POST", "/v1/x", AUTH, b"{}")
            await client.close()
        assert caught.value.kind == "unreachable"

    async def test_a_plain_server(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.read_some()
            await peer.send(http(b"plain", status=b"400 Bad Request"))
            await peer.gone()

        async with RawUpstream(script) as upstream:
            client = to(upstream.url.replace("http:", "https:"))
            with pytest.raises(UpstreamError) as caught:
                await client.open("POST", "/v1/x", AUTH, b"{}")
            await client.close()
        assert caught.value.kind == "unreachable"

    async def test_a_cut_stream(self, authority: trustme.CA, server: ssl.SSLContext, tmp_path: Path) -> None:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        async with RawUpstream(sends(CHUNKED, chunk(b"a")), server) as upstream:
            client = to(upstream.url, ca=tmp_path / "ca.pem")
            with pytest.raises(UpstreamError) as caught:
                await (await client.open("POST", "/v1/x", AUTH, b"{}")).read(10)
            await client.close()
        assert caught.value.kind == "broken"

    async def test_cancelling(self, authority: trustme.CA, server: ssl.SSLContext, tmp_path: Path) -> None:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        async with RawUpstream(hangs(CHUNKED, chunk(b"a")), server) as upstream:
            client = to(upstream.url, ca=tmp_path / "ca.pem")
            answer = await client.open("POST", "/v1/x", AUTH, b"{}")
            task = asyncio.ensure_future(answer.read(10))
            await asyncio.sleep(0.01)
            task.cancel()
            async with asyncio.timeout(5):
                await upstream.gone.wait()
            await client.close()

    def test_a_file_that_is_no_certificate(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("nothing")
        with pytest.raises(SettingsError, match="upstream_ca"):
            to("https://127.0.0.1/v1", ca=tmp_path / "ca.pem")
