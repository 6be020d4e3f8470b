from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from fakes import CHUNKED, LAST_CHUNK, Peer, RawUpstream, chunk, head, http, replying, until
from lockgate.errors import WireError
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.upstream import UpstreamError

AUTH = [(b"authorization", b"Bearer sk-made-up"), (b"content-type", b"application/json")]


def to(url: str) -> AiohttpUpstream:
    return AiohttpUpstream(url, timeout=5, idle_timeout=5)


async def fetched(answer: bytes | list[bytes], method: str = "GET") -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    async with RawUpstream(replying(answer)) as upstream:
        client = to(upstream.url)
        got = await client.open(method, "/v1/x", [])
        body = await got.read(1 << 20)
        await client.close()
    return got.status, got.headers, body


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
        answered, spoke = asyncio.Event(), asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(http(b"asked for"))
            await answered.wait()
            answered.clear()
            await peer.send(http(b"somebody else's"))
            spoke.set()
            await peer.gone()

        async with RawUpstream(script) as upstream:
            client = to(upstream.url)
            for _ in range(3):
                assert await (await client.open("GET", "/v1/x", [])).read(100) == b"asked for"
                answered.set()
                await spoke.wait()
                spoke.clear()
                await asyncio.sleep(0.005)  # it has been sent; now it comes in
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
                await until(lambda: len(upstream.requests) == len(names), seconds=20)
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
