from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fakes import CHUNKED, LAST_CHUNK, Peer, RawUpstream, Script, chunk, hangs, http, sends, until
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.upstream import UpstreamError

AUTH = [(b"authorization", b"Bearer sk-made-up"), (b"content-type", b"application/json")]


def to(url: str, *, within: float = 5, idle: float = 5) -> AiohttpUpstream:
    return AiohttpUpstream(url, timeout=within, idle_timeout=idle)


async def failing(script: Script, *, within: float = 5, idle: float = 5) -> UpstreamError:
    """The error that a request meets, whether at its head or in its body."""
    async with RawUpstream(script) as upstream:
        client = to(upstream.url, within=within, idle=idle)
        try:
            with pytest.raises(UpstreamError) as caught:
                await (await client.open("POST", "/v1/x", AUTH, b"{}")).read(1 << 20)
        finally:
            await client.close()
    assert "sk-made-up" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


async def closed_by(act: Callable[[AiohttpUpstream], Awaitable[None]], script: Script) -> RawUpstream:
    """Run `act` until it waits, cancel it, and see the upstream's connection close."""
    async with RawUpstream(script) as upstream:
        client = to(upstream.url)
        task = asyncio.ensure_future(act(client))
        async with asyncio.timeout(5):
            await until(lambda: bool(upstream.requests))
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
            (sends(http(b"", b"X-A: b\x01c")), "protocol"),
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
        error = await failing(hangs(*parts), within=0.1)
        assert (error.kind, error.started) == ("timeout", False)

    @pytest.mark.parametrize("parts", [(CHUNKED,), (CHUNKED, chunk(b"a")), (http(b"short", length=False),)])
    async def test_silence_within_the_answer(self, parts: tuple[bytes, ...]) -> None:
        error = await failing(hangs(*parts), idle=0.03)
        assert (error.kind, error.started) == ("idle", True)

    async def test_idle_counts_silence_only(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send_apart(CHUNKED, *[chunk(b"a")] * 80, LAST_CHUNK)

        async with RawUpstream(script) as upstream:
            client = to(upstream.url, idle=0.2)
            answer = await client.open("GET", "/v1/x", [])
            assert await answer.read(100) == b"a" * 80
            await client.close()

    async def test_a_slow_reader_is_not_an_idle_upstream(self) -> None:
        async with RawUpstream(hangs(CHUNKED, chunk(b"a"), chunk(b"b"), LAST_CHUNK)) as upstream:
            client = to(upstream.url, idle=0.1)
            got = b""
            async for piece in (await client.open("GET", "/v1/x", [])).chunks():
                got += piece
                await asyncio.sleep(0.15)
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
                await until(lambda: open_sockets() < open_before)
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
