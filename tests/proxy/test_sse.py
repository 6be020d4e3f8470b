from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.errors import WireError
from lockgate_proxy.sse import COMMENT, DONE, Event, Splitter, data_event, rebuild

PIECES = st.sampled_from(
    [
        b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"data: ", b"data:", b"data", b"id: 7", b"event: error",
        b": comment", b"x", b"{}", b"[DONE]", b" ", b":", b"\xef\xbb\xbf", b"\xef", "ü€🙂".encode(),
    ]
)  # fmt: skip
STREAMS = st.lists(PIECES, max_size=40).map(b"".join)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    borders = sorted({0, len(stream), *(p % (len(stream) + 1) for p in places)})
    return [stream[a:b] for a, b in pairwise(borders)]


def split(chunks: list[bytes]) -> tuple[list[Event], bytes]:
    splitter = Splitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    events += splitter.end()
    return events, splitter.flush()


def by_the_rules(stream: bytes) -> list[bytes]:
    """The data of each dispatched event, by a plain reading of the WHATWG text: lines first, then fields."""
    data: list[bytes] = []
    found: list[bytes] = []
    stream = stream.removeprefix(b"\xef\xbb\xbf")
    stream = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in stream.split(b"\n")[:-1]:
        if not line:
            if data:
                found.append(b"\n".join(data))
            data = []
            continue
        name, colon, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" ") if colon else b"")
    return found


@given(STREAMS, st.lists(st.integers(0, 400), max_size=12))
@example(b"data: a\r\n\r\n", [10])
@example(b"data: a\r\r\ndata: b\n\n", [9])
@example(b"data: a\r\r\n\ndata: b\r\n\r", [])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2, 3])
@example(b"\xef\xbb\xbf\n\ndata: a\n\n", [])
@example(b"\n\r\r\n\ndata: a\n\r\ndata: b\n\n", [1, 2])
def test_no_byte_is_lost_and_events_do_not_depend_on_chunks(stream: bytes, places: list[int]) -> None:
    events, left = split(cut(stream, places))
    assert b"".join(e.raw for e in events) + left == stream
    assert [e.data for e in events if e.data is not None] == by_the_rules(stream)
    whole, _ = split([stream])
    single, rest = split([stream[i : i + 1] for i in range(len(stream))])
    assert [(e.raw, e.data) for e in events] == [(e.raw, e.data) for e in whole]
    assert [(e.raw, e.data) for e in events] == [(e.raw, e.data) for e in single]
    assert rest == left


@given(STREAMS, st.binary(max_size=20), st.integers(0, 30))
@example(b"data: \rdata: \n\n", b"", 0)
@example(b"data: \rdata: \r\n\r\n", b"", 0)
def test_rebuild_changes_the_data_alone(stream: bytes, data: bytes, which: int) -> None:
    events, left = split([stream])
    if not events:
        return
    place = which % len(events)
    event = events[place]
    new = rebuild(event, data)
    rebuilt, rest = split([b"".join(e.raw for e in events[:place]) + new])
    assert rest in {b"", left}
    read = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert rebuilt[place].data == read
    assert rebuilt[place].name == event.name


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"data: one\n\n", b"one"),
        (b"data:one\n\n", b"one"),
        (b"data:  two spaces\n\n", b" two spaces"),
        (b"data: one\ndata: two\n\n", b"one\ntwo"),
        (b"data: one\rdata: two\r\r", b"one\ntwo"),
        (b"id: 1\r\ndata: x\r\nevent: e\r\n\r\n", b"x"),
        (b"data\n\n", b""),
        (b"data:\n\n", b""),
        (b": comment\n\n", None),
        (b"\n", None),
        (b"database: x\n\n", None),
        (b" data: x\n\n", None),
    ],
)
def test_one_event(raw: bytes, data: bytes | None) -> None:
    for chunks in ([raw, b"data: next\n\n"], [b"data: before\n\n", raw, b"data: next\n\n"]):
        events, left = split(chunks)
        event = events[-2]
        assert (event.raw, event.data, left) == (raw, data, b"")


def test_an_event_comes_out_with_its_last_byte() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: a\n") == []
    assert [e.data for e in splitter.feed(b"\n")] == [b"a"]
    assert splitter.feed(b"data: a\r\n\r") == []
    assert [e.raw for e in splitter.feed(b"\n")] == [b"data: a\r\n\r\n"]
    assert [e.raw for e in splitter.feed(b"data: cr\r\r")] == [b"data: cr\r\r"]
    assert [e.raw for e in splitter.feed(b"data: cr\r\r")] == [b"data: cr\r\r"]


def test_a_character_split_over_chunks_stays_whole() -> None:
    stream = 'data: {"t":"€🙂"}\n\n'.encode()
    for at in range(1, len(stream)):
        events, left = split([stream[:at], stream[at:]])
        assert [e.raw for e in events] == [stream]
        assert left == b""


def test_done_and_names() -> None:
    (event,), _ = split([DONE])
    assert event.done
    (event,), _ = split([b"data: [DONE] \n\n"])
    assert event.done
    (event,), _ = split([b"data: [DONE] and more\n\n"])
    assert not event.done
    (event,), _ = split([b"event: error\ndata: {}\n\n"])
    assert not event.done
    assert event.name == b"error"
    (event,), _ = split([COMMENT])
    assert event.data is None
    assert not event.done
    assert event.name == b""


def test_what_never_ended_is_left() -> None:
    events, left = split([b"data: a\n\ndata: b\n"])
    assert [e.data for e in events] == [b"a"]
    assert left == b"data: b\n"


def test_a_last_blank_line_of_a_bare_cr_ends_its_event() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: [DONE]\r\n\r") == []
    assert [e.done for e in splitter.end()] == [True]
    assert splitter.flush() == b""
    assert Splitter().end() == []


@pytest.mark.parametrize("chunk", [7, 1000, 5000])
def test_an_event_that_grows_too_large_is_an_error(chunk: int) -> None:
    splitter = Splitter(max_event=4096)
    splitter.feed(b"data: a\n\n")
    stream = b"data: " + b"x" * 4096 + b"\n\n"
    with pytest.raises(WireError) as caught:
        for i in range(0, len(stream), chunk):
            splitter.feed(stream[i : i + chunk])
    assert caught.value.status == 502
    assert "x" * 8 not in str(caught.value)


def test_many_events_larger_together_than_one_may_be() -> None:
    stream = (b"data: " + b"x" * 50 + b"\n\n") * 200
    splitter = Splitter(max_event=100)
    assert len(splitter.feed(stream)) == 200
    assert len(splitter.feed(stream.replace(b"\n", b"\r\n"))) == 200


def test_rebuild_keeps_the_other_lines() -> None:
    (event,), _ = split([b": c\r\nid: 7\r\ndata: old\r\nevent: e\r\ndata: more\r\n\r\n"])
    assert rebuild(event, b"new") == b": c\r\nid: 7\r\ndata: new\r\nevent: e\r\n\r\n"
    (event,), _ = split([b"event: ping\n\n"])
    assert rebuild(event, b"{}") == b"event: ping\ndata: {}\n\n"


def test_data_event() -> None:
    assert data_event(b"{}") == b"data: {}\n\n"
    (event,), left = split([data_event(b"a\nb")])
    assert (event.data, left) == (b"a\nb", b"")
    assert "Event(" in repr(event)


@pytest.mark.parametrize(
    ("raw", "more"),
    [
        (b"data: x\n\n", False), (b"data:x\n\n", False), (b"data: x\r\n\r\n", False), (b"data: x\ndata: y\n\n", False),
        (b"\n", False), (b": x\n\n", True), (b"event: x\ndata: y\n\n", True), (b"data: x\nid: 1\n\n", True), (b"x\n\n", True),
    ],
)  # fmt: skip
def test_lines_beside_the_data(raw: bytes, more: bool) -> None:
    [event] = Splitter().feed(raw)
    assert event.has_more == more
