from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from lockgate.verdict import Flag
from lockgate.wire.chat import ChatLens
from lockgate.wire.chat_stream import (
    empty_choice,
    flag_chunk,
    index_of,
    read_event,
    refusal_chunk,
    start_chunk,
)
from lockgate.wire.pointer import get

MESSAGE = "/choices/0/message"


def event(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (event(content="x"), [("/content", "content", "text", "x")]),
        (event(refusal="x"), [("/refusal", "refusal", "text", "x")]),
        (event(reasoning_content="x"), [("/reasoning_content", "reasoning_content", "reasoning", "x")]),
        (event(reasoning="x"), [("/reasoning", "reasoning", "reasoning", "x")]),
        (event(function_call={"arguments": "x"}), [("/function_call/arguments",) * 2 + ("tool_call", "x")]),
        (event(function_call={"name": "x"}), [("/function_call/name",) * 2 + ("|tool_call", "x")]),
        (event(audio={"transcript": "x"}), [("/audio/transcript",) * 2 + ("text", "x")]),
        (
            event(
                tool_calls=[{"index": 3, "id": "c", "type": "function", "function": {"name": "f", "arguments": "x"}}]
            ),
            [
                ("/tool_calls/3/function/name", "tool_calls/0/function/name", "|tool_call", "f"),
                ("/tool_calls/3/function/arguments", "tool_calls/0/function/arguments", "tool_call", "x"),
            ],
        ),
        (
            event(tool_calls=[{"index": 1, "custom": {"name": "f", "input": "x"}}]),
            [
                ("/tool_calls/1/custom/name", "tool_calls/0/custom/name", "|tool_call", "f"),
                ("/tool_calls/1/custom/input", "tool_calls/0/custom/input", "tool_call", "x"),
            ],
        ),
        (
            event(annotations=[{"type": "url_citation", "url_citation": {"title": "x"}}]),
            [
                ("/annotations/0", "annotations/0", "|text", "type\nurl_citation"),
                ("/annotations/0/url_citation", "annotations/0/url_citation", "|text", "title"),
                ("/annotations/0/url_citation/title", "annotations/0/url_citation/title", "text", "x"),
            ],
        ),
        (event(role="assistant", content=None, refusal=None), []),
        (event(content=""), []),
        (event(), []),
    ],
)
def test_every_text_of_a_delta(document: Any, said: list[tuple[str, str, str, str]]) -> None:
    reading = read_event(document)
    assert [(d.channel, d.where, ("|" if d.fixed else "") + d.kind, d.text) for d in reading.deltas] == [
        (f"{MESSAGE}{channel}", f"/choices/0/delta/{where.lstrip('/')}", kind, text)
        for channel, where, kind, text in said
    ]
    assert reading.unknown == []
    assert reading.skipped == {}


@pytest.mark.parametrize(
    ("document", "skipped"),
    [
        (event(audio={"data": "AAAA"}), {f"{MESSAGE}/audio/data": "audio: not text"}),
        (event(thought="x"), {f"{MESSAGE}/thought": "unread: unknown"}),
        (event(tool_calls=[{"index": 2, "more": "x"}]), {f"{MESSAGE}/tool_calls/2/more": "unread: unknown"}),
        (event(function_call={"parsed": "x"}), {f"{MESSAGE}/function_call/parsed": "unread: unknown"}),
        (
            {"choices": [{"index": 4, "delta": {}, "message": {"content": "x"}}]},
            {"/choices/4/message": "unread: unknown"},
        ),
        ({"choices": [], "more": "x"}, {"/more": "unread: unknown"}),
        ({"choices": [{"delta": {}, "token_ids": [1]}]}, {"/choices/0/token_ids": "tokens: not text"}),
        (
            {"choices": [{"delta": {}, "finish_reason": "unseen words"}]},
            {"/choices/0/finish_reason": "unread: unknown"},
        ),
        ({"choices": [{"delta": {}, "index": "1"}]}, {"/choices/0/index": "unread: unknown"}),
        ({"choices": [{"delta": {}, "logprobs": "x"}]}, {"/choices/0/logprobs": "unread: unknown"}),
        ({"obfuscation": "xxxx", "choices": []}, {"/obfuscation": "padding: the upstream's"}),
    ],
)
def test_what_is_not_read_is_on_record(document: Any, skipped: dict[str, str]) -> None:
    reading = read_event(document)
    assert reading.skipped == skipped
    assert reading.unknown == [where for where, reason in skipped.items() if reason == "unread: unknown"]
    assert reading.deltas == []


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        (event(content=["x", {"type": "text", "text": "y"}]), {"x", "y", "text", "type\ntext"}),
        (event(tool_calls={"arguments": "x"}), {"arguments", "x"}),
        (event(tool_calls=["x"]), {"x"}),
        (event(tool_calls=[{"function": "x"}]), {"x"}),
        (event(tool_calls=[{"function": {"arguments": {"a": "x"}}}]), {"a", "x"}),
        (event(tool_calls=[{"custom": ["x"]}]), {"x"}),
        (event(audio="x"), {"x"}),
        (event(annotations="x"), {"x"}),
        (event(function_call="x"), {"x"}),
        ({"choices": [{"delta": "x"}]}, {"x"}),
        ({"choices": ["x"]}, {"x"}),
        ({"choices": {"0": "x"}}, {"0", "x"}),
        ({"error": {"message": "x"}}, {"message", "x"}),
        ({"error": "x"}, {"x"}),
    ],
)
def test_an_odd_shape_hides_nothing(document: Any, texts: set[str]) -> None:
    """And the content beside it is read as ever."""
    if isinstance(document.get("choices"), list):
        document = {"choices": [*document["choices"], {"index": 7, "delta": {"content": "beside"}}]}
        texts = texts | {"beside"}
    reading = read_event(document)
    assert {delta.text for delta in reading.deltas} == texts
    for delta in reading.deltas:
        assert delta.fixed or get(document, delta.where) == delta.text


@pytest.mark.parametrize("number", [123456789, 0.5, True])
def test_a_number_in_place_of_a_text_is_unread(number: float) -> None:
    reading = read_event(event(content=number))
    assert (reading.deltas, reading.unknown) == ([], [f"{MESSAGE}/content"])


@pytest.mark.parametrize(
    ("choice", "ended"),
    [
        ({"index": 2, "delta": {}, "finish_reason": "stop"}, [2]),
        ({"delta": {}, "finish_reason": "length"}, [0]),
        ({"index": 2, "delta": {}, "finish_reason": None}, []),
        ({"index": 2, "delta": {}, "finish_reason": ""}, []),
        ({"index": 2, "delta": {}}, []),
    ],
)
def test_where_a_choice_ends(choice: dict[str, Any], ended: list[int]) -> None:
    assert read_event({"choices": [choice]}).ended == ended


@pytest.mark.parametrize(
    ("choice", "index"),
    [
        ({"index": 3}, 3),
        ({}, 1),
        ({"index": None}, 1),
        ({"index": -1}, 1),
        ({"index": True}, 1),
        ({"index": []}, 1),
        ("x", 1),
    ],
)
def test_the_index_of_a_choice(choice: Any, index: int) -> None:
    assert index_of(choice, 1) == index


class TestLogProbabilities:
    def test_those_that_spell_the_text_go_with_it(self) -> None:
        tokens = [{"token": "he", "logprob": -1}, {"token": "llo", "logprob": -2, "top_logprobs": [{"token": "x"}]}]
        document = {"choices": [{"index": 5, "delta": {"content": "hello"}, "logprobs": {"content": tokens}}]}
        reading = read_event(document)
        assert [(d.channel, d.drop) for d in reading.deltas] == [
            ("/choices/5/message/content", ("/choices/0/logprobs",))
        ]
        assert list(reading.skipped) == ["/choices/5/logprobs/content"]

    def test_those_that_do_not_are_a_text_of_their_own(self) -> None:
        document = {"choices": [{"delta": {"content": "lo"}, "logprobs": {"content": [{"token": "hello"}]}}]}
        reading = read_event(document)
        assert [(d.channel, d.text, d.drop) for d in reading.deltas] == [
            (f"{MESSAGE}/content", "lo", ("/choices/0/logprobs",)),
            ("/choices/0/logprobs/content", "hello", ("/choices/0/logprobs",)),
        ]

    def test_of_a_refusal(self) -> None:
        document = {
            "choices": [{"delta": {"refusal": "no"}, "logprobs": {"content": None, "refusal": [{"token": "no"}]}}]
        }
        assert [d.drop for d in read_event(document).deltas] == [("/choices/0/logprobs",)]

    def test_unknown_ones(self) -> None:
        document = {"choices": [{"delta": {"content": "x"}, "logprobs": {"tokens": ["x"], "content": "x"}}]}
        assert read_event(document).unknown == ["/choices/0/logprobs/tokens", "/choices/0/logprobs/content"]

    def test_token_ids_go_with_the_text(self) -> None:
        document = {
            "choices": [
                {"index": 0, "delta": {"content": "a", "reasoning": "b"}, "token_ids": [1, 2]},
                {"index": 1, "delta": {"content": "c"}},
            ]
        }
        assert [d.drop for d in read_event(document).deltas] == [("/choices/0/token_ids",)] * 2 + [()]


TEXT = st.text(min_size=1, max_size=6)
FUNCTIONS = st.fixed_dictionaries({"name": TEXT, "arguments": TEXT})
CALLS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"id": st.just("c"), "type": st.just("function"), "function": FUNCTIONS}),
    st.fixed_dictionaries({"type": st.just("custom"), "custom": st.fixed_dictionaries({"name": TEXT, "input": TEXT})}),
)
MESSAGES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "content": TEXT,
        "refusal": TEXT,
        "reasoning_content": TEXT,
        "reasoning": TEXT,
        "function_call": FUNCTIONS,
        "tool_calls": st.lists(CALLS, max_size=3),
        "audio": st.fixed_dictionaries({"transcript": TEXT}, optional={"data": TEXT}),
        "annotations": st.lists(
            st.fixed_dictionaries({"type": st.just("url_citation"), "url_citation": st.dictionaries(TEXT, TEXT)}),
            max_size=2,
        ),
        "surprise": TEXT,
    },
)


def cut(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A plain answer, and the events of the same answer: its strings cut, its choices interleaved."""
    messages = draw(st.lists(MESSAGES, min_size=1, max_size=2))
    queues: list[list[dict[str, Any]]] = []
    for index, message in enumerate(messages):
        deltas: list[dict[str, Any]] = [{"role": "assistant"}]
        for key, value in message.items():
            if key == "tool_calls":
                for i, call in enumerate(value):
                    kind = "function" if "function" in call else "custom"
                    for name, text in call[kind].items():
                        deltas += [{key: [{"index": i, kind: {name: piece}}]} for piece in cut(draw, text)]
            elif key in ("function_call", "audio"):
                for name, text in value.items():
                    deltas += [{key: {name: piece}} for piece in cut(draw, text)]
            else:
                deltas += [{key: piece} for piece in cut(draw, value)] if isinstance(value, str) else [{key: value}]
        queues.append([{"index": index, "delta": delta} for delta in deltas])
    events = []
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        events.append({"choices": [queue.pop(0) for _ in range(draw(st.integers(1, len(queue))))]})
    return {"choices": [{"index": i, "message": message} for i, message in enumerate(messages)]}, events


@given(streams())
@settings(max_examples=200)
def test_channels_are_the_places_of_the_plain_answer(pair: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    answer, events = pair
    plain = ChatLens().read_answer(answer)
    channels: dict[str, str] = defaultdict(str)
    shapes: dict[str, tuple[int | None, str, bool]] = {}
    skipped: dict[str, str] = {}
    for document in events:
        reading = ChatLens().read_event(document)
        for delta in reading.deltas:
            if not delta.fixed or delta.kind == "tool_call":
                assert get(document, delta.where) == delta.text
            channels[delta.channel] += delta.text
            shapes[delta.channel] = (delta.choice, delta.kind, delta.fixed)
        skipped.update(reading.skipped)
    assert channels == {segment.where: segment.text for segment in plain.segments}
    assert shapes == {segment.where: (segment.choice, segment.kind, segment.fixed) for segment in plain.segments}
    assert skipped == plain.skipped


SEEN = {"id": "chatcmpl-1", "created": 5, "model": "m", "choices": []}
NOTE = {"id": "01J", "action": "refuse"}


@pytest.mark.parametrize(
    "data",
    [
        flag_chunk(SEEN, 1, [Flag("notice", "text “x”", "r", 1)], NOTE),
        refusal_chunk(SEEN, 1, "No “never”.", NOTE),
        refusal_chunk({}, 1, "", {}),
        start_chunk(SEEN, 1),
        start_chunk({}, 1),
    ],
)
def test_our_own_chunks_are_chunks(data: bytes) -> None:
    chunk = ChatCompletionChunk.model_validate_json(data)
    assert [choice.index for choice in chunk.choices] == [1]
    assert b"\n" not in data


def test_what_our_own_chunks_say() -> None:
    flagged = json.loads(flag_chunk(SEEN, 0, [Flag("notice", "text", "r"), Flag("b", "c", "d", 2)], NOTE))
    assert flagged["lockgate"] == {
        **NOTE,
        "flags": [
            {"name": "notice", "text": "text", "rule": "r"},
            {"name": "b", "text": "c", "rule": "d", "choice": 2},
        ],
    }
    assert (flagged["id"], flagged["created"], flagged["model"]) == ("chatcmpl-1", 5, "m")
    assert flagged["choices"] == [{"index": 0, "delta": {}, "finish_reason": None}]
    refused = json.loads(refusal_chunk(SEEN, 0, "Stopped.", NOTE))
    assert refused["choices"] == [{"index": 0, "delta": {"refusal": "Stopped."}, "finish_reason": "content_filter"}]
    assert refused["lockgate"] == NOTE
    halved = json.loads(refusal_chunk({**SEEN, "model": "\ud83d"}, 0, "No, \ude00.", NOTE))
    assert (halved["model"], halved["choices"][0]["delta"]) == ("\ud83d", {"refusal": "No, \ude00."})
    assert json.loads(empty_choice(3)) == {"index": 3, "delta": {}, "finish_reason": None}
