"""Faults of many at once, and of sizes: what is left behind, and what is held. Single faults are with their modules:
test_client_faults.py (upstreams), test_connection.py (clients), test_app.py (paths, two requests in one), test_handle_refusals.py
(bodies), test_streaming.py and test_plain.py (answers)."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import socket
import struct
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from fakes import LAST_CHUNK, Peer, chat_events, chunk, hangs, head, http, replying, until
from proxied import CHAT, HELLO, Client, Proxy, proxied, request
from saying import patterns, plan_of, rule

REDACT = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
ASK = request("POST", CHAT, body=json.dumps({**HELLO, "stream": True}).encode())
EVENTS = chat_events("one ", "two ", "three ")
MIB = 1 << 20
PACKED = b"Content-Encoding: gzip"


def sockets() -> int:
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += str(entry.readlink()).startswith("socket:")
    return found


def reset(client: Client) -> None:
    """Leave with a RST."""
    client._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client._writer.transport.abort()


class Crowd:
    """Two hundred streams, of which each kind ends in its way once all have begun."""

    SIZE = 200
    KINDS = ("whole", "closed by the client", "reset by the client", "reset by the upstream", "cut by the upstream")

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.served = 0

    async def script(self, peer: Peer) -> None:
        while True:
            asked = await peer.request()
            kind = asked.header("x-kind")
            self.served += 1
            await peer.send(head(), chunk(EVENTS[0] + EVENTS[1]))
            await self.go.wait()
            if kind == "reset by the upstream":
                peer.reset()
                return
            if kind == "cut by the upstream":
                return
            if kind != "whole":
                await peer.gone()
                return
            await peer.send(*map(chunk, EVENTS[2:]), LAST_CHUNK)

    async def one(self, proxy: Proxy, number: int) -> str:
        """Give how it ended."""
        kind = self.KINDS[number % len(self.KINDS)]
        client = await proxy.client()
        line, rest = ASK.split(b"\r\n", 1)
        await client.send(line + b"\r\nX-Kind: " + kind.encode() + b"\r\n" + rest)
        await client.head()
        came = await client.chunk()
        await self.go.wait()
        if kind == "closed by the client":
            client.close()
        elif kind == "reset by the client":
            reset(client)
        else:
            with suppress(asyncio.IncompleteReadError):
                while piece := await client.chunk():
                    came += piece
            client.close()
        return "whole" if came.endswith(b"data: [DONE]\n\n") else "cut" if b'"error"' in came else "left"


async def test_two_hundred_streams_with_aborts_leave_nothing_behind() -> None:
    crowd = Crowd()
    async with proxied(REDACT, crowd.script) as proxy:
        # Whatever is made once and kept is made by the first exchange.
        crowd.go.set()
        assert await crowd.one(proxy, 0) == "whole"
        crowd.go.clear()
        await proxy.context.upstream.close()
        await until(lambda: not proxy.upstream._tasks - {t for t in proxy.upstream._tasks if t.done()})
        gc.collect()
        before = sockets(), len(asyncio.all_tasks())
        streams = [asyncio.ensure_future(crowd.one(proxy, number)) for number in range(Crowd.SIZE)]
        await until(lambda: crowd.served == Crowd.SIZE + 1, seconds=30)
        crowd.go.set()
        ends = await asyncio.wait_for(asyncio.gather(*streams), 30)
        await proxy.context.upstream.close()  # those that wait for another request
        await until(lambda: sockets() <= before[0] and len(asyncio.all_tasks()) <= before[1], seconds=10)
        each = Crowd.SIZE // len(Crowd.KINDS)
        assert {kind: ends.count(kind) for kind in ("whole", "left", "cut")} == {
            "whole": each, "left": 2 * each, "cut": 2 * each,
        }  # fmt: skip
        assert "internal_error" not in proxy.context.counts


async def test_a_slow_reader_does_not_grow_memory() -> None:
    """The upstream would say far more than is held: what nobody reads stays with it."""
    sent = 0
    piece = chunk(chat_events("x" * 65_000)[1])

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(head())
        while True:
            await peer.send(piece)
            sent += 1

    async with proxied(REDACT, script) as proxy:
        client = await proxy.client()
        # A small window, so that the kernel's own buffers are full soon.
        client._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client._reader._limit = 1024  # type: ignore[attr-defined]
        client._writer.transport.pause_reading()  # type: ignore[attr-defined]
        tracemalloc.start()
        try:
            await client.send(ASK)
            await until(lambda: sent > 3)
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.05)
            held = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        client.close()
    assert held < 24 * MIB


def packed(size: int) -> bytes:
    """A whole stream of an answer that unpacks to `size` and more."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b" " * MIB
    return b"".join(squeeze.compress(zeros) for _ in range(size // MIB)) + squeeze.flush()


class TestBombs:
    """A hundred kilobytes that unpack to a hundred megabytes, or never end: stopped at a limit, on a socket."""

    BOMB = packed(100 * MIB)

    def test_it_is_one(self) -> None:
        assert len(self.BOMB) < 120_000

    @pytest.mark.parametrize("target", [CHAT, "/v1/completions"])
    async def test_of_a_client(self, target: str) -> None:
        async with proxied(REDACT, replying(http(b"{}"))) as proxy:
            tracemalloc.start()
            try:
                reply = await proxy.post(self.BOMB, PACKED.decode(), target=target)
                held = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert proxy.upstream.connections == 0
        assert (reply.status, reply.error["code"]) == (413, "request_too_large")
        assert held < 80 * MIB  # the limit is 32 MiB

    async def test_of_an_upstream(self) -> None:
        answer = http(self.BOMB, b"Content-Type: application/json", PACKED)
        async with proxied(REDACT, replying(answer), max_answer=4 * MIB) as proxy:
            tracemalloc.start()
            try:
                reply = await proxy.chat("hello")
                held = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert (reply.status, reply.error["code"]) == (502, "upstream_too_large")
        assert held < 24 * MIB

    async def test_of_an_upstream_in_a_stream(self) -> None:
        start = gzip.compress(EVENTS[1])
        answer = head(b"Content-Type: text/event-stream", PACKED) + chunk(start) + chunk(self.BOMB)
        async with proxied(REDACT, hangs(answer), max_answer=8 * MIB) as proxy:
            tracemalloc.start()
            try:
                reply = await proxy.raw(ASK)
                held = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            await asyncio.wait_for(proxy.upstream.gone.wait(), 5)
        assert b"[DONE]" not in reply.body
        assert json.loads(reply.body.rsplit(b"data: ", 1)[1])["error"]["code"] == "upstream_too_large"
        assert held < 32 * MIB


class TestLimitsSayWhich:
    """Each limit is a setting, and its error says what was too much or too late."""

    async def test_upstream_timeout(self) -> None:
        async with proxied(REDACT, hangs(), upstream_timeout=0.05) as proxy:
            reply = await proxy.chat("hello")
        assert (reply.status, reply.error["code"]) == (504, "upstream_timeout")
        assert "(upstream_timeout)" in reply.error["message"]

    @pytest.mark.parametrize("stream", [False, True])
    async def test_stream_idle_timeout(self, stream: bool) -> None:
        answer = head() + chunk(EVENTS[1]) if stream else http(b"", b"Content-Length: 10", length=False)
        async with proxied(REDACT, hangs(answer), stream_idle_timeout=0.05) as proxy:
            reply = await proxy.chat("hello", stream=stream)
        error = json.loads(reply.body.rsplit(b"data: ", 1)[-1])["error"]
        assert error["code"] == "upstream_timeout"
        assert "(stream_idle_timeout)" in error["message"]

    async def test_max_body(self) -> None:
        async with proxied(REDACT, replying(http(b"{}")), max_body=1000) as proxy:
            reply = await proxy.chat("x" * 2000)
            assert proxy.upstream.connections == 0
        assert (reply.status, reply.error["code"]) == (413, "request_too_large")
        assert "1000" in reply.error["message"]
