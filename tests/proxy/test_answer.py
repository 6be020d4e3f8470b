from __future__ import annotations

import pytest

from fakes import CHUNKED, LAST_CHUNK, RawUpstream, chunk, http, replying, sends
from lockgate_proxy.answer import failure
from lockgate_proxy.client import AiohttpUpstream
from lockgate_proxy.upstream import UpstreamError

# An answer to a body at hand is read from the connection, one to any other request from aiohttp's response.
METHODS = pytest.mark.parametrize("method", ["POST", "PUT"])


async def read(said: bytes, method: str, limit: int = 100, *, cut: bool = False) -> bytes:
    async with RawUpstream(sends(said, reset=cut) if cut else replying(said)) as upstream:
        client = AiohttpUpstream(upstream.url, timeout=5, idle_timeout=5)
        try:
            return await (await client.open(method, "/v1/x", [], b"{}")).read(limit)
        finally:
            await client.close()


@METHODS
@pytest.mark.parametrize(
    "said", [http(b"hello"), CHUNKED + chunk(b"he") + chunk(b"llo") + LAST_CHUNK], ids=["counted", "chunked"]
)
async def test_a_body_that_came_with_its_head(method: str, said: bytes) -> None:
    assert await read(said, method) == b"hello"


@METHODS
@pytest.mark.parametrize("said", [http(b"hello"), CHUNKED + chunk(b"hello") + LAST_CHUNK], ids=["counted", "chunked"])
async def test_a_limit_holds_however_the_body_is_framed(method: str, said: bytes) -> None:
    assert await read(said, method, 5) == b"hello"
    with pytest.raises(UpstreamError) as caught:
        await read(said, method, 4)
    assert caught.value.kind == "too_large"


@METHODS
async def test_an_answer_without_a_body(method: str) -> None:
    assert await read(b"HTTP/1.1 204 No Content\r\n\r\n", method) == b""


@METHODS
@pytest.mark.parametrize(
    "header", [b"x-a: a\x01b", b"transfer-encoding: gzip, chunked", b"transfer-encoding: gzip"], ids=str
)
async def test_what_cant_be_passed_on(method: str, header: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        await read(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n", method)
    assert caught.value.kind == "protocol"


@METHODS
async def test_a_reset_is_no_end(method: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await read(b"HTTP/1.1 200 OK\r\n\r\nhello", method, cut=True)
    assert caught.value.kind == "broken"


@pytest.mark.parametrize(
    ("error", "kind"), [(TimeoutError(), "timeout"), (ConnectionResetError(), "broken"), (OSError(), "broken")]
)
def test_errors_of_the_system(error: OSError, kind: str) -> None:
    assert failure(error).kind == kind
    assert not failure(error).started
