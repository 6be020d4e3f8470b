from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.exchange import Exchange
from lockgate.gate import Gate
from lockgate.passage import Passage
from lockgate.wire.chat import ChatLens
from lockgate.wire.document import parse
from lockgate_proxy.ordinary import Spellings
from lockgate_proxy.sse import Event, Splitter
from saying import choice, chunk, finish, patterns, plan_of, role, rule, text

PLAN = plan_of(rule("k", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}))
BODY = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}],"usage":null%b}\n\n'


def learned(raw: bytes) -> tuple[Spellings, Gate | None]:
    """What is known after one event that was read in full; None where nothing of it is a text."""
    [event] = Splitter().feed(raw)
    assert event.data is not None
    reading = ChatLens().read_event(parse(event.data, lenient=True))
    stream = Passage(PLAN, Exchange("x", "chat")).stream()
    spellings = Spellings()
    if len(reading.deltas) != 1:
        return spellings, None
    [delta] = reading.deltas
    stream.feed(delta.choice, delta.channel, delta.kind, delta.text)
    gate = stream.gate(delta.channel)
    spellings.learn(event, reading, gate)
    return spellings, gate


@pytest.mark.parametrize(
    ("inside", "means"),
    [
        (b"hello", "hello"), (b" a\\n\\\"b\\\"", ' a\n"b"'), ("é😀".encode(), "é😀"), (rb"\u00e9", "é"), (b"\x7f", "\x7f"),
        (b"\\\\", "\\"),
        # No more than one JSON string, or not to be read so.
        (b'a","x":"b', ""), (b'a"', ""), (b"a\\", ""), (b"a\nb", ""), (b"a\n\ndata: {}", ""), (b"\xff", ""), (b"", ""),
        (rb"\ud83d", ""), (b'"', ""), (b'a"},"finish_reason":"stop"', ""),
    ],
)  # fmt: skip
def test_the_same_bytes_around_another_string(inside: bytes, means: str) -> None:
    spellings, gate = learned(BODY % (b"one", b""))
    found = spellings.find(BODY % (inside, b""))
    assert (found[1] if found else "") == means
    if found:
        assert (found[0].gate, found[0].where) == (gate, "/choices/0/delta/content")


@pytest.mark.parametrize(
    "raw",
    [
        BODY % (b"two", b',"x":1'), BODY % (b"two", b"") + b"\n", BODY[:-1] % (b"two", b""), b"\n" + BODY % (b"two", b""),
        (BODY % (b"two", b"")).replace(b'"index":0', b'"index":1'), (BODY % (b"two", b"")).replace(b"null}]", b'"stop"}]'),
        (BODY % (b"", b""))[:60], b"data: [DONE]\n\n", b": ping\n\n", b"",
    ],
)  # fmt: skip
def test_anything_else_is_read_in_full(raw: bytes) -> None:
    assert learned(BODY % (b"one", b""))[0].find(raw) is None


def test_padding_at_the_end_may_differ() -> None:
    spellings, _ = learned(BODY % (b"one", b',"obfuscation":"aZ09"'))
    for padding, means in (
        (b"x", "two"),
        (b"aVeryLong1", "two"),
        (b"a b", ""),
        (b'a","x":"b', ""),
        (b"", ""),
        (b"\\n", ""),
    ):
        found = spellings.find(BODY % (b"two", b',"obfuscation":"%b"' % padding))
        assert (found[1] if found else "") == means
    assert spellings.find(BODY % (b"two", b"")) is None
    # What looks like padding in the text is text.
    assert spellings.find(BODY % (b'x\\",\\"obfuscation\\":\\"', b',"obfuscation":"b"')) is not None


@pytest.mark.parametrize(
    "raw",
    [
        finish(), role(), chunk(choice({"content": "a"}, finish="stop")), chunk(choice({"content": "a"}), choice({"content": "b"}, 1)),
        text("a").replace(b"data: ", b"data:"), text("a")[:-1] + b"id: 1\n\n", b"event: x\n" + text("a"),
        text("a").replace(b"\n\n", b"\r\n\r\n"), chunk({**choice({"content": "a"}), "token_ids": [1]}),
        chunk({**choice({"content": "a"}), "logprobs": {"content": [{"token": "a", "bytes": [97]}]}}),
        chunk(choice({"annotations": [{"title": "a"}]})),
    ],
)  # fmt: skip
def test_what_is_not_ordinary_is_not_learned(raw: bytes) -> None:
    assert learned(raw)[0].find(raw) is None


def test_an_upstream_whose_events_all_differ_is_not_studied_for_long() -> None:
    spellings, gate = learned(text("a"))
    assert gate is not None
    raws = [text("a").replace(b"chatcmpl-7", b"other-%d" % i) for i in range(20)]
    for raw in raws:
        event = Event(raw, raw[6:-2])
        spellings.learn(event, ChatLens().read_event(json.loads(raw[6:])), gate)
    assert [raw for raw in raws if spellings.find(raw) is not None] == raws[4:8]


def test_a_few_spellings_are_known_at_once() -> None:
    spellings, gate = learned(text("a"))
    assert gate is not None
    others = [text("a").replace(b"chatcmpl-7", b"other-%d" % i) for i in range(3)]
    for raw in others:
        assert spellings.find(text("a")) is not None
        spellings.learn(Event(raw, raw[6:-2]), ChatLens().read_event(json.loads(raw[6:])), gate)
    assert all(spellings.find(raw) is not None for raw in (text("a"), *others))


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    more=st.dictionaries(st.sampled_from(["id", "usage", "obfuscation", "x", "model"]), VALUES, max_size=4),
    said=st.lists(st.text(max_size=6), min_size=2, max_size=4),
    ascii_only=st.booleans(),
    first=st.booleans(),
)
def test_what_is_found_is_what_the_lens_reads(
    more: dict[str, Any], said: list[str], ascii_only: bool, first: bool
) -> None:
    stream = Passage(PLAN, Exchange("x", "chat")).stream()
    spellings = Spellings()
    for content in said:
        chosen = {"choices": [choice({"content": content})]}
        body = {**chosen, **more} if first else {**more, **chosen}
        raw = b"data: " + json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") + b"\n\n"
        event = Event(raw, raw[6:-2])
        found = spellings.find(raw)
        try:
            assert event.data is not None
            reading = ChatLens().read_event(parse(event.data, lenient=True))
        except ValueError:
            assert found is None
            continue
        if found is not None:
            [delta] = reading.deltas
            assert (delta.text, delta.where, delta.channel) == (found[1], found[0].where, found[0].gate.where)
        elif len(reading.deltas) == 1:
            [delta] = reading.deltas
            stream.feed(delta.choice, delta.channel, delta.kind, delta.text)
            spellings.learn(event, reading, stream.gate(delta.channel))
