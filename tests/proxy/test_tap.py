from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol

from fakes import LAST_CHUNK, RawUpstream, chunk, hangs, head, sends
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.tap import Tap, can_tap
from lockgate_proxy.upstream import Take, UpstreamError


class _Taker:
    """Takes what `wanted` says, and notes it; wakes the reader after what `wakes` says."""

    def __init__(self, wanted: Callable[[bytes], bool], wakes: Callable[[bytes], bool] = lambda _: False) -> None:
        self.wanted = wanted
        self.wakes = wakes
        self.taken: list[bytes] = []

    def __call__(self, piece: bytes) -> bytes | None:
        if not self.wanted(piece):
            return piece
        self.taken.append(piece)
        return b"" if self.wakes(piece) else None


def test_the_reader_of_this_aiohttp_is_known() -> None:
    assert can_tap()


def reader() -> StreamReader:
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    protocol.transport = asyncio.Transport()
    return StreamReader(protocol, 2**16, loop=loop)


async def waiting(content: StreamReader, take: Take) -> asyncio.Task[bytes | None]:
    task = asyncio.create_task(Tap(content, take, loop=asyncio.get_running_loop()).next())
    await asyncio.sleep(0)
    return task


async def test_pieces_are_taken_when_they_come() -> None:
    content, take = reader(), _Taker(lambda piece: piece != b"end")
    task = await waiting(content, take)
    for piece in (b"one", b"two", b"three"):
        content.begin_http_chunk_receiving()
        content.feed_data(piece)
        content.end_http_chunk_receiving()
    assert take.taken == [b"one", b"two", b"three"]  # at once: nobody was woken
    content.feed_data(b"end")
    assert await task == b"end"
    content.feed_eof()
    assert await (await waiting(content, take)) is None
    assert content.total_bytes == 14


async def test_the_task_is_woken_after_a_piece_that_was_taken() -> None:
    content, take = reader(), _Taker(lambda _: True, lambda piece: piece == b"two")
    task = await waiting(content, take)
    content.feed_data(b"one")
    content.feed_data(b"two")
    content.feed_data(b"three")
    assert await task == b""
    assert take.taken == [b"one", b"two"]
    # What came while nobody waited is not offered: it is there to be read.
    assert await (await waiting(content, take)) == b"three"


async def test_an_error_of_the_taker_is_the_readers() -> None:
    def take(piece: bytes) -> bytes | None:
        raise LookupError(len(piece))

    content = reader()
    task = await waiting(content, take)
    content.feed_data(b"one")
    with pytest.raises(LookupError):
        await task


async def test_an_error_of_the_connection() -> None:
    content = reader()
    task = await waiting(content, _Taker(lambda _: True))
    content.set_exception(ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        await task


async def test_a_reader_that_is_cancelled_leaves_nothing_behind() -> None:
    content, take = reader(), _Taker(lambda _: True)
    task = await waiting(content, take)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    content.feed_data(b"one")
    assert (take.taken, await content.readany()) == ([], b"one")


async def read(upstream: RawUpstream, take: Take) -> list[bytes]:
    client = AiohttpUpstream(upstream.url, timeout=5, idle_timeout=5)
    try:
        answer = await client.open("POST", "/v1/x", [], b"{}")
        return [piece async for piece in answer.chunks(take)]
    finally:
        await client.close()


async def test_over_a_connection() -> None:
    take = _Taker(lambda piece: piece != b"odd", lambda piece: piece == b"c")
    parts = [chunk(piece) for piece in (b"a", b"b", b"odd", b"c", b"d")]
    async with RawUpstream(sends(head(), *parts, LAST_CHUNK)) as upstream:
        left = await read(upstream, take)
    assert sorted([*take.taken, *filter(None, left)]) == [b"a", b"b", b"c", b"d", b"odd"]
    assert b"odd" in left


async def test_a_cut_within_what_is_taken() -> None:
    take = _Taker(lambda _: True)
    async with RawUpstream(sends(head(), chunk(b"a"), chunk(b"b"), b"5\r\nx")) as upstream:
        with pytest.raises(UpstreamError, match="within its answer"):
            await read(upstream, take)


async def test_silence_is_counted_from_the_last_piece_that_was_taken() -> None:
    take = _Taker(lambda _: True)
    async with RawUpstream(hangs(head(), chunk(b"a"), chunk(b"b"))) as upstream:
        client = AiohttpUpstream(upstream.url, timeout=5, idle_timeout=0.03)
        answer = await client.open("POST", "/v1/x", [], b"{}")
        with pytest.raises(UpstreamError, match="fell silent"):
            assert [piece async for piece in answer.chunks(take)] == []
        await client.close()
