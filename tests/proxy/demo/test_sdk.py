from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx2
import pytest

from lockgate_proxy.demo.scenes import SCENES
from lockgate_proxy.demo.sdk import Client, Tap, _Tapped
from lockgate_proxy.demo.story import Story

Stories = dict[str, Story]


class Body(httpx2.SyncByteStream):
    """A body in pieces, which breaks after the last one if it is told to."""

    def __init__(self, pieces: list[bytes], *, breaks: bool = False) -> None:
        self.pieces = pieces
        self.breaks = breaks
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.breaks:
            raise httpx2.RemoteProtocolError("cut")

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("breaks", [False, True])
def test_what_the_client_did_not_read_is_kept_as_well(*, breaks: bool) -> None:
    body, kept = Body([b"a", b"b", b"c"], breaks=breaks), list[bytes]()
    tapped = _Tapped(body, kept)
    assert next(iter(tapped)) == b"a"
    tapped.close()
    assert kept == [b"a", b"b", b"c"]
    assert body.closed


def test_a_break_reaches_a_client_that_reads_on() -> None:
    tapped = _Tapped(Body([b"a"], breaks=True), [])
    with pytest.raises(httpx2.RemoteProtocolError):
        list(tapped)


def test_where_nobody_answers() -> None:
    tap = Tap()
    with pytest.raises(ConnectionError):
        tap.take()
    tap.close()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # had, but nobody listens
        client = Client(bound.getsockname()[1])
        with pytest.raises(ConnectionError, match="did not answer"):
            client.play(SCENES[0])
        client.close()


def test_what_the_client_tells(stories: Stories) -> None:
    assert stories["models"].told["models"] == ["lock-keeper-1", "lock-keeper-1:mini"]
    calls = stories["tool-calls-in-stream"].told["choices"][0]["calls"]
    assert [call["name"] for call in calls] == ["find_employee", "create_refund"]
    assert stories["clean-stream"].told["usage"]["queue_ns"] == 9007199254740993
    assert stories["private-key"].told["error"] == {
        "class": "BadRequestError",
        "code": "content_filter",
        "param": "messages[1]",
        "message": "This holds a private key. Take it out and try again.",
    }
    assert stories["cut-stream"].told["error"]["class"] == "APIError"
    assert stories["rate-limit"].told["error"]["class"] == "RateLimitError"


def test_only_what_the_proxy_says_is_kept_of_the_headers(stories: Stories) -> None:
    assert stories["rate-limit"].headers["retry-after"] == "7"
    for story in stories.values():
        assert all(name.startswith("x-lockgate-") or name == "retry-after" for name in story.headers)
