"""What the chat API keeps: stored completions, their list, and the messages of their requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionStoreMessage

from lockgate.errors import WireError
from lockgate.exchange import Exchange
from lockgate.verdict import Edit
from lockgate.wire.edit import edit_document
from lockgate.wire.stored import StoredChat, StoredChats, StoredMessages

ONE, LIST, MESSAGES = StoredChat(), StoredChats(), StoredMessages()
ALL = [ONE, LIST, MESSAGES]
CITED = {"type": "url_citation", "url_citation": {"start_index": 9, "end_index": 12, "url": "u", "title": "t"}}


def completion(*contents: str, **more: Any) -> dict[str, Any]:
    choices = [
        {"index": i, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        for i, content in enumerate(contents)
    ]
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m", "choices": choices, **more}


def listed(*items: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "first_id": "a", "last_id": "b", "has_more": False}


def found(reading: Any) -> set[tuple[str, str, str, int | None]]:
    return {(segment.where, segment.role, segment.text, segment.choice) for segment in reading.segments}


@pytest.mark.parametrize("lens", ALL)
def test_requests_have_no_texts_but_new_metadata(lens: StoredChat) -> None:
    assert lens.read_request(None).segments == []
    reading = lens.read_request({"metadata": {"k": "v"}, "messages": []})
    assert {segment.text for segment in reading.segments} == {"k", "v"}
    assert reading.unknown == ["/messages"]
    with pytest.raises(WireError):
        lens.read_request([])
    assert lens.refusal(Exchange("x", "chat"), "No.") is None


def test_a_stored_completion_is_an_answer_and_what_was_asked() -> None:
    document = completion(
        "hello", "you", metadata={"k": "v"}, tools=[{"type": "function", "function": {"name": "f", "description": "d"}}],
        input_user="anna", temperature=1, tool_choice={"a": "two words"}, functions="odd", new=1,
    )  # fmt: skip
    reading = ONE.read_answer(document)
    assert {
        ("/choices/0/message/content", "assistant", "hello", 0),
        ("/choices/1/message/content", "assistant", "you", 1),
        ("/metadata/k", "upstream", "v", None),
        ("/tools/0/function/description", "system", "d", None),
        ("/input_user", "user", "anna", None),
        ("/functions", "user", "odd", None),
    } <= found(reading)
    assert sorted(reading.unknown) == ["/new", "/tool_choice/a"]
    with pytest.raises(WireError):
        ONE.read_answer([])


def test_a_refused_completion_keeps_nothing_that_was_judged_with_it() -> None:
    document = completion("a", "b", metadata={"k": "a"}, tools=[], input_user="a")
    gone = json.loads(ONE.refuse(json.dumps(document).encode(), document, {0: "No."}))
    assert (gone["metadata"], gone["tools"], gone["input_user"], gone["choices"][1]) == (
        None,
        None,
        None,
        document["choices"][1],
    )
    kept = json.loads(ONE.refuse(json.dumps(document).encode(), document, {1: "No."}))
    assert kept["metadata"] == {"k": "a"}
    assert kept["choices"][1]["message"] == {"role": "assistant", "content": None, "refusal": "No."}


def test_an_item_of_a_list_is_a_choice() -> None:
    document = listed(completion("one"), completion("two", metadata={"k": "v"}, new=1), "bare")
    reading = LIST.read_answer(document)
    assert found(reading) == {
        ("/data/0/choices/0/message/content", "assistant", "one", 0),
        ("/data/1/choices/0/message/content", "assistant", "two", 1),
        ("/data/1/metadata", "upstream", "k", 1),
        ("/data/1/metadata/k", "upstream", "v", 1),
        ("/data/2", "assistant", "bare", 2),
    }
    assert (reading.unknown, LIST.choices(document)) == (["/data/1/new"], 3)
    gone = json.loads(LIST.refuse(json.dumps(document).encode(), document, {1: "No.", 2: ""}))
    assert gone["data"][0] == document["data"][0]
    refused = ChatCompletion.model_validate(gone["data"][1])
    assert (refused.id, refused.choices[0].finish_reason, refused.choices[0].message.refusal) == (
        "chatcmpl-1",
        "content_filter",
        "No.",
    )
    assert "metadata" not in gone["data"][1]
    assert gone["data"][2] == {"choices": []}


def test_the_messages_are_read_as_their_roles() -> None:
    parts = [{"type": "text", "text": "part"}, {"type": "image_url", "image_url": {"url": "https://x/y"}}]
    document = listed(
        {"id": "m-0", "role": "user", "content": "hello", "content_parts": None, "name": "anna"},
        {"id": "m-1", "role": "user", "content": None, "content_parts": parts},
        {"id": "m-2", "role": "tool", "content": "22 degrees", "tool_call_id": "c"},
        {"id": "a whole sentence", "role": "judge", "content": "order", "extra": 1},
    )
    reading = MESSAGES.read_answer(document)
    assert found(reading) == {
        ("/data/0/content", "user", "hello", 0),
        ("/data/0/name", "user", "anna", 0),
        ("/data/1/content_parts/0/text", "user", "part", 1),
        ("/data/1/content_parts/1/image_url/url", "user", "https://x/y", 1),
        ("/data/2/content", "tool", "22 degrees", 2),
        ("/data/3/content", "user", "order", 3),
    }
    assert sorted(reading.unknown) == ["/data/3/extra", "/data/3/id", "/data/3/role"]
    gone = json.loads(MESSAGES.refuse(json.dumps(document).encode(), document, {1: "No."}))
    assert gone["data"][1] == {"id": "m-1", "role": "user", "content": None, "refusal": "No.", "content_parts": None}
    assert ChatCompletionStoreMessage.model_validate({**gone["data"][1], "role": "assistant"}).refusal == "No."


@pytest.mark.parametrize("lens", [LIST, MESSAGES])
def test_lists_of_another_shape(lens: StoredChat) -> None:
    reading = lens.read_answer({"error": {"message": "no"}, "data": {"a": "b"}, "more": 1})
    assert {text for _, _, text, _ in found(reading)} == {"message", "no", "a", "b"}
    assert reading.unknown == ["/more"]
    assert (lens.choices({}), lens.choices([])) == (0, 0)
    assert lens.read_answer({"data": []}).segments == []
    with pytest.raises(WireError):
        lens.read_answer("x")
    with pytest.raises(WireError):
        lens.read_event({})


def test_edits_take_along_what_depends_on_them() -> None:
    message = {"role": "assistant", "content": "call 555 now", "annotations": [CITED]}
    choice = {"index": 0, "message": message, "logprobs": {"content": []}, "finish_reason": "stop"}
    document = listed({**completion(), "choices": [choice]})
    edits = [Edit("/data/0/choices/0/message/content", (5, 8), "[PHONE]", "r")]
    edited = json.loads(edit_document(json.dumps(document).encode(), document, edits, LIST.dependants))
    shown = edited["data"][0]["choices"][0]
    assert (shown["message"]["content"], shown["logprobs"]) == ("call [PHONE] now", None)
    assert shown["message"]["annotations"][0]["url_citation"]["start_index"] == 13
    document = listed({"id": "m", **message})
    edits = [Edit("/data/0/content", (5, 8), "[PHONE]", "r")]
    edited = json.loads(edit_document(json.dumps(document).encode(), document, edits, MESSAGES.dependants))
    assert edited["data"][0]["annotations"][0]["url_citation"]["end_index"] == 16
