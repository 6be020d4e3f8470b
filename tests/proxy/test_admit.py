"""Reading a request's body: limits, with and without a length, and a client that leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fakes import LAST_CHUNK, chat_answer, chunk, json_answer, replying
from lockgate.errors import WireError
from lockgate_proxy.admit import ClientGone, Receive, read_body
from proxied import CHAT, proxied, request
from saying import plan_of

FINE = replying(json_answer(chat_answer("hi")))


def bodies(*pieces: bytes, gone: bool = False) -> tuple[Receive, Callable[[], int]]:
    """A client that sends `pieces`, and then leaves or is done; and how many of its messages were taken."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if gone:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    total = len(messages)

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return receive, lambda: total - len(messages)


async def test_the_body_in_pieces() -> None:
    receive, taken = bodies(b"ab", b"", b"cd")
    body = await read_body(receive, [], 4)
    assert (body.raw, body.plain) == (b"abcd", b"abcd")
    assert body.plain is body.raw
    assert taken() == 3


async def test_a_body_in_one_piece_is_not_copied() -> None:
    whole = bytes(bytearray(b"abcd"))
    receive, _ = bodies(whole)
    assert (await read_body(receive, [], 4)).raw is whole


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"5")]])
async def test_too_large_is_read_on_so_that_the_client_sees_the_answer(headers: list[tuple[bytes, bytes]]) -> None:
    receive, taken = bodies(b"abc", b"de", b"more")
    with pytest.raises(WireError) as caught:
        await read_body(receive, headers, 4)
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")
    assert taken() == 3


async def test_but_not_forever() -> None:
    receive, taken = bodies(*[b"x" * (1 << 20)] * 50)
    with pytest.raises(WireError):
        await read_body(receive, [(b"content-length", b"52428800")], 4)
    assert taken() < 10


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"100")]])
@pytest.mark.parametrize("pieces", [(b"a",), (b"abcdefgh",)])
async def test_a_client_that_leaves(pieces: tuple[bytes, ...], headers: list[tuple[bytes, bytes]]) -> None:
    receive, _ = bodies(*pieces, gone=True)
    with pytest.raises(ClientGone):
        await read_body(receive, headers, 4)


async def test_an_encoding_beside_the_bytes() -> None:
    receive, _ = bodies(b"ab")
    body = await read_body(receive, [(b"Content-Encoding", b"identity")], 4)
    assert (body.raw, body.plain) == (b"ab", b"ab")


@pytest.mark.parametrize("length", [True, False])
async def test_the_limit_holds_on_a_socket(length: bool) -> None:
    exact = b'{"messages": [], "x": "' + b"y" * (1000 - 25) + b'"}'
    assert len(exact) == 1000

    def ask(body: bytes) -> list[bytes]:
        if length:
            return [request("POST", CHAT, body=body)]
        return [request("POST", CHAT, "Transfer-Encoding: chunked", length=False), chunk(body), LAST_CHUNK]

    async with proxied(plan_of(), FINE, max_body=1000) as proxy:
        assert (await proxy.raw(*ask(exact))).status == 200
        reply = await proxy.raw(*ask(exact + b" "))
        assert (reply.status, reply.error["code"]) == (413, "request_too_large")
        assert len(proxy.requests) == 1


async def test_a_client_that_still_sends_sees_the_413() -> None:
    big = 3 << 20
    async with proxied(plan_of(), FINE, max_body=1000) as proxy:
        client = await proxy.client()
        await client.send(request("POST", CHAT, f"Content-Length: {big}", length=False))
        for _ in range(big >> 16):
            await client.send(b" " * 65536)
        reply = await asyncio.wait_for(client.reply(), 5)
        assert reply.status == 413
        assert proxy.upstream.connections == 0


async def test_eight_mebibytes_pass() -> None:
    body = (
        b'{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,'
    )
    body += b"A" * (8 << 20) + b'"}}]}]}'
    async with proxied(plan_of(), FINE) as proxy:
        assert (await proxy.post(body)).status == 200
        assert proxy.requests[0].body == body
