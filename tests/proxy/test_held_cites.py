"""Citations in a streamed chat: their offsets follow the edits of the text, as in a plain answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.exchange import Exchange
from lockgate.passage import Passage
from lockgate.wire.chat import ChatLens
from lockgate.wire.edit import edit_document
from lockgate_proxy.release import Release
from lockgate_proxy.sse import Splitter
from responding import cut
from saying import DONE, choice, chunk, patterns, plan_of, role, rule, said, text

PLAN = plan_of(rule("keys", patterns(KEY=r"sk-[a-z0-9]{8}"), {"rewrite": "redact"}, side=["completion"]))


def cites(start: int, end: int, title: str = "A page") -> dict[str, Any]:
    body = {"start_index": start, "end_index": end, "title": title, "url": "https://example.com/"}
    return {"type": "url_citation", "url_citation": body}


async def streamed(*events: bytes) -> tuple[str, list[Any], bytes]:
    stream = Passage(PLAN, Exchange("x", "chat", stream=True, choices=1)).stream()
    release = Release(stream, ChatLens(), choices=1, note={}, prompt_flags=[])
    out: list[bytes] = []
    for event in Splitter().feed(b"".join(events)):
        out.extend(await release.add(event))
    raw = b"".join([*out, *await release.end()])
    content, notes = "", list[Any]()
    for event in Splitter().feed(raw):
        if event.data and not event.done:
            delta = json.loads(event.data)["choices"][0]["delta"]
            content += delta.get("content") or ""
            notes += delta.get("annotations") or []
    return content, notes, raw


async def plainly(content: str, notes: list[Any]) -> tuple[str, list[Any]]:
    message = {"role": "assistant", "content": content, "annotations": notes}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    lens = ChatLens()
    passage = Passage(PLAN, Exchange("x", "chat"))
    verdict = await passage.answer(lens.read_answer(whole))
    edited = json.loads(edit_document(json.dumps(whole).encode(), whole, passage.edits(verdict), lens.dependants))
    return edited["choices"][0]["message"]["content"], edited["choices"][0]["message"]["annotations"]


SAID = "the key sk-abcd1234 is in the paper, see there"


@pytest.mark.parametrize("at_end", [True, False], ids=["with the end", "before it"])
async def test_offsets_follow_and_what_was_edited_goes(at_end: bool) -> None:
    notes = [cites(0, 7), cites(4, 12), cites(30, 35, "sk-abcd1234")]
    last = {"annotations": notes}
    ends = [chunk(choice(last, 0, "stop"))] if at_end else [said(**last), chunk(choice({}, 0, "stop"))]
    content, left, _ = await streamed(role(), *(text(piece) for piece in cut(SAID, 5)), *ends, DONE)
    assert content == "the key [KEY] is in the paper, see there"
    assert left == [cites(0, 7), cites(24, 29, "[KEY]")]


async def test_a_text_that_stays_keeps_the_bytes_of_its_citations() -> None:
    events = [
        role(),
        text("all is well, it seems. "),
        said(annotations=[cites(0, 3)]),
        chunk(choice({}, 0, "stop")),
        DONE,
    ]
    assert (await streamed(*events))[2] == b"".join(events)


async def test_a_citation_without_a_text_is_left_alone() -> None:
    _, left, _ = await streamed(role(), said(annotations=[cites(3, 9), {"type": "other"}, 4]), DONE)
    assert left == [cites(3, 9), {"type": "other"}, 4]


PIECES = st.lists(st.sampled_from(["sk-abcd1234", "the key", " ", ", ", "é", "x"]), min_size=1, max_size=6).map("".join)


@given(PIECES, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=4), st.integers(1, 9))
@settings(deadline=None, max_examples=150)
def test_a_stream_cites_as_the_plain_answer_does(content: str, spans: list[tuple[int, int]], size: int) -> None:
    notes = [cites(start, start + width) for start, width in spans if start + width <= len(content)]
    events = [role(), *(text(piece) for piece in cut(content, size)), said(annotations=notes), DONE]
    found, left, _ = asyncio.run(streamed(*events))
    assert (found, left) == asyncio.run(plainly(content, notes))
