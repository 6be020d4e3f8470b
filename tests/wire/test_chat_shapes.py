from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import WireError
from lockgate.exchange import Segment
from lockgate.wire.chat import ChatLens
from lockgate.wire.pointer import get

LENS = ChatLens()


def user(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "x", **more}]}


def top(**more: Any) -> dict[str, Any]:
    return {"messages": [], **more}


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([], ""),
        ("text", ""),
        (None, ""),
        ({}, "/messages"),
        ({"messages": None}, "/messages"),
        ({"messages": {"role": "user"}}, "/messages"),
        ({"messages": ["text"]}, "/messages/0"),
        ({"messages": [{"content": "x"}]}, "/messages/0/role"),
        ({"messages": [{"role": None, "content": "x"}]}, "/messages/0/role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "/messages/0/role"),
        (user(content=5), "/messages/0/content"),
        (user(content={"text": "x"}), "/messages/0/content"),
        (user(content=["x"]), "/messages/0/content/0"),
        (user(content=[{"type": "text", "text": 1}]), "/messages/0/content/0/text"),
        (user(content=[{"type": "text", "text": ["x"]}]), "/messages/0/content/0/text"),
        (user(name=["x"]), "/messages/0/name"),
        (user(refusal={}), "/messages/0/refusal"),
        (user(reasoning=[]), "/messages/0/reasoning"),
        (user(tool_calls={}), "/messages/0/tool_calls"),
        (user(tool_calls=["x"]), "/messages/0/tool_calls/0"),
        (user(tool_calls=[{"function": "x"}]), "/messages/0/tool_calls/0/function"),
        (user(tool_calls=[{"function": {"arguments": {}}}]), "/messages/0/tool_calls/0/function/arguments"),
        (user(tool_calls=[{"custom": "x"}]), "/messages/0/tool_calls/0/custom"),
        (user(function_call=[]), "/messages/0/function_call"),
        (user(audio="x"), "/messages/0/audio"),
        (user(audio={"transcript": 1}), "/messages/0/audio/transcript"),
        (user(annotations=5), "/messages/0/annotations"),
        (user(annotations="x"), "/messages/0/annotations"),
        (user(annotations={}), "/messages/0/annotations"),
        (top(tools={}), "/tools"),
        (top(tools=["x"]), "/tools/0"),
        (top(functions="x"), "/functions"),
        (top(functions=["x"]), "/functions/0"),
        (top(prediction="x"), "/prediction"),
        (top(prediction={"content": 1}), "/prediction/content"),
        (top(stream="true"), "/stream"),
        (top(stream=1), "/stream"),
        (top(n=0), "/n"),
        (top(n=-1), "/n"),
        (top(n=1.0), "/n"),
        (top(n="2"), "/n"),
        (top(n=True), "/n"),
    ],
)
def test_a_request_of_another_shape(document: Any, where: str) -> None:
    with pytest.raises(WireError) as raised:
        LENS.read_request(document)
    assert (raised.value.where, raised.value.status, raised.value.code) == (where, 400, "invalid_type")


@pytest.mark.parametrize(
    ("document", "unknown"),
    [
        (user(name=None, refusal=None, tool_calls=None, function_call=None, audio=None, annotations=None), []),
        (user(content=None), []),
        (user(content=""), []),
        (user(content=[]), []),
        (top(tools=None, functions=None, stop=None, metadata=None, prediction=None, n=None, stream=None), []),
        ({"messages": [{"role": "pirate", "content": "x"}]}, ["/messages/0/role"]),
        (user(thought="x"), ["/messages/0/thought"]),
        (user(content=[{"type": "redacted_thinking", "data": "x"}]), ["/messages/0/content/0"]),
        (user(content=[{"type": "thinking", "signature": "x"}]), ["/messages/0/content/0/signature"]),
        (user(content=[{"text": "x"}]), ["/messages/0/content/0"]),
        (user(content=[{"type": ["text"], "text": "x"}]), ["/messages/0/content/0"]),
        (user(content=[{"type": {"a": 1}}]), ["/messages/0/content/0"]),
        (user(content=[{"type": "text", "text": "x", "more": 1}]), ["/messages/0/content/0/more"]),
        (user(content=[{"type": "image_url", "image_url": {}, "alt": "x"}]), ["/messages/0/content/0/alt"]),
        (user(tool_calls=[{"function": {"name": "f", "parsed": {}}}]), ["/messages/0/tool_calls/0/function/parsed"]),
        (user(tool_calls=[{"extra": 1}]), ["/messages/0/tool_calls/0/extra"]),
        (user(audio={"text": "x"}), ["/messages/0/audio/text"]),
        (top(extra_body={}), ["/extra_body"]),
        (top(**{"a/b~c": 1}), ["/a~1b~0c"]),
    ],
)
def test_what_is_unknown_is_on_record(document: Any, unknown: list[str]) -> None:
    reading = LENS.read_request(document)
    assert reading.unknown == unknown
    assert [where for where, reason in reading.skipped.items() if reason == "unread: unknown"] == unknown


@pytest.mark.parametrize(
    ("role", "read_as", "kind"),
    [
        ("system", "system", "text"),
        ("developer", "system", "text"),
        ("user", "user", "text"),
        ("assistant", "assistant", "text"),
        ("tool", "tool", "tool_result"),
        ("function", "tool", "tool_result"),
        ("pirate", "user", "text"),
        ("", "user", "text"),
    ],
)
def test_roles(role: str, read_as: str, kind: str) -> None:
    reading = LENS.read_request({"messages": [{"role": role, "content": "x"}]})
    assert reading.segments == [Segment("/messages/0/content", read_as, kind, "x")]  # type: ignore[arg-type]


def test_all_messages_are_read_not_the_last() -> None:
    messages = [{"role": "user", "content": f"text {i}"} for i in range(300)]
    reading = LENS.read_request({"messages": messages})
    assert [segment.text for segment in reading.segments] == [f"text {i}" for i in range(300)]


@pytest.mark.parametrize("document", [[], "x", None, 5])
def test_what_is_no_answer_at_all(document: Any) -> None:
    with pytest.raises(WireError):
        LENS.read_answer(document)
    with pytest.raises(WireError):
        LENS.read_event(document)


KEYS = st.sampled_from(
    [
        "role", "content", "name", "refusal", "reasoning_content", "tool_calls", "function_call", "audio", "annotations",
        "type", "text", "image_url", "file", "function", "custom", "arguments", "input", "index", "data", "transcript",
        "filename", "messages", "tools", "functions", "response_format", "stop", "metadata", "prediction", "n", "stream",
        "model", "choices", "message", "delta", "logprobs", "finish_reason", "error", "token", "token_ids", "x/y",
    ]
)  # fmt: skip
LEAVES = st.sampled_from([None, True, 1, 0.5, "text", "function", "user", "refusal", "custom", "assistant", ""])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def readable(document: Any, segments: list[Segment]) -> None:
    """Each pointer leads to the text that it is said to, or to the object whose keys or tokens it is."""
    for segment in segments:
        value = get(document, segment.where)
        if not segment.fixed or isinstance(value, str):
            assert value == segment.text or isinstance(value, list)  # log probabilities
        else:
            assert set(segment.text.split("\n")) <= set(value)


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=2), st.dictionaries(KEYS, VALUES, max_size=4))
@settings(max_examples=200)
def test_any_document_is_read_or_refused(items: list[dict[str, Any]], more: dict[str, Any]) -> None:
    for item in items:
        item.setdefault("role", "user")
    requests = [{**more, "messages": items}, more]
    answers = [{**more, "choices": [{**more, "message": item} for item in items]}, {"choices": [more]}, more]
    for document in requests:
        try:
            reading = LENS.read_request(document)
        except WireError:
            continue
        readable(document, reading.segments)
    for document in answers:
        found = LENS.read_answer(document)
        readable(document, found.segments)
        LENS.read_event({"choices": [{**more, "delta": item} for item in items], "error": more.get("error")})
