from __future__ import annotations

import asyncio

import pytest

from fakes import CHUNKED, LAST_CHUNK, Peer, RawUpstream, chunk, hangs, http, replying, sends
from lockgate.errors import WireError
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.headers import Headers
from lockgate_proxy.upstream import UpstreamError

BODY = b'{"messages": []}'


def to(url: str, timeout: float = 5) -> AiohttpUpstream:
    return AiohttpUpstream(url, timeout=timeout, idle_timeout=5)


async def post(client: AiohttpUpstream, headers: Headers | None = None, path: str = "/v1/x") -> bytes:
    return await (await client.open("POST", path, headers or [], BODY)).read(1 << 20)


@pytest.mark.parametrize("value", [b"\xfc", b"\xff\xfe", b"a\tb", "ü".encode()])
async def test_a_headers_value_goes_out_byte_for_byte(value: bytes) -> None:
    async with RawUpstream(replying(http())) as upstream:
        client = to(upstream.url)
        await post(client, [(b"x-a", value)])
        await client.close()
    assert b"\r\nx-a: " + value + b"\r\n" in upstream.requests[0].raw


@pytest.mark.parametrize(
    "header",
    [(b"x-a", b"1\r\nx-b: 2"), (b"x-a", b"1\n2"), (b"x-a", b"1\r2"), (b"x-a", b"\0"), (b"x\r\n-a", b"1")],
    ids=["both", "LF", "CR", "NUL", "name"],
)
async def test_a_header_that_would_be_two_is_refused(header: tuple[bytes, bytes]) -> None:
    async with RawUpstream(replying(http())) as upstream:
        client = to(upstream.url)
        with pytest.raises(WireError) as caught:
            await post(client, [header])
        assert caught.value.code == "invalid_header"
        await client.close()
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("base", "path", "line"),
    [
        ("", "/v1/chat/completions", b"/chat/completions"),
        ("", "/v1?a=b", b"/?a=b"),
        ("/openai/v1", "/v1/chat/completions?api-version=1", b"/openai/v1/chat/completions?api-version=1"),
        ("/v1", "/v1/a%2Fb", b"/v1/a%2Fb"),
    ],
)
async def test_the_request_line(base: str, path: str, line: bytes) -> None:
    async with RawUpstream(replying(http())) as upstream:
        client = to(f"http://127.0.0.1:{upstream.port}{base}")
        await post(client, path=path)
        await client.close()
    raw = upstream.requests[0].raw
    assert raw.startswith(b"POST %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % (line, upstream.port))


async def test_what_comes_before_the_answer_is_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    async with RawUpstream(replying(early + http(b"ok"))) as upstream:
        client = to(upstream.url)
        assert await post(client) == b"ok"
        await client.close()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "protocol"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "broken"),
        (b"", "broken"),
    ],
)
async def test_what_is_no_answer(said: bytes, kind: str) -> None:
    async with RawUpstream(sends(said)) as upstream:
        client = to(upstream.url)
        with pytest.raises(UpstreamError) as caught:
            await post(client)
        assert (caught.value.kind, caught.value.started) == (kind, False)
        await client.close()


async def test_no_answer_in_time() -> None:
    async with RawUpstream(hangs()) as upstream:
        client = to(upstream.url, timeout=0.05)
        with pytest.raises(UpstreamError) as caught:
            await post(client)
        assert caught.value.kind == "timeout"
        async with asyncio.timeout(5):
            await upstream.gone.wait()
        await client.close()


async def test_a_connection_serves_many_requests() -> None:
    async with RawUpstream(replying(http(b"ok"))) as upstream:
        client = to(upstream.url)
        for _ in range(5):
            assert await post(client) == b"ok"
        assert upstream.connections == 1
        await client.close()


async def test_an_answer_that_ends_its_connection() -> None:
    async with RawUpstream(replying(http(b"ok", b"connection: close"))) as upstream:
        client = to(upstream.url)
        assert [await post(client) for _ in range(2)] == [b"ok", b"ok"]
        assert upstream.connections == 2
        await client.close()


async def test_a_connection_whose_request_was_not_taken_in_is_not_used_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.request_head()
        await peer.send(http(b"no", status=b"413 Too Large"))
        await peer.gone()

    async with RawUpstream(script) as upstream:
        client = to(upstream.url)
        for _ in range(2):
            answer = await client.open("POST", "/v1/x", [], bytes(20_000_000))
            assert (answer.status, await answer.read(100)) == (413, b"no")
        assert upstream.connections == 2
        await client.close()


async def test_an_answer_that_was_not_read_ends_its_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, chunk(b"one"))
        await peer.gone()

    async with RawUpstream(script) as upstream:
        client = to(upstream.url)
        answer = await client.open("POST", "/v1/x", [], BODY)
        answer.close()
        answer.close()
        async with asyncio.timeout(5):
            await upstream.gone.wait()
        await client.close()


async def test_chunks_as_they_come() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, chunk(b"one"))
        await go.wait()
        await peer.send(chunk(b"two"), LAST_CHUNK)

    async with RawUpstream(script) as upstream:
        client = to(upstream.url)
        answer = await client.open("POST", "/v1/x", [], BODY)
        pieces = answer.chunks()
        assert await anext(pieces) == b"one"
        go.set()
        assert b"".join([piece async for piece in pieces]) == b"two"
        await client.close()
