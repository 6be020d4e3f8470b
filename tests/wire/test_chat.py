from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lockgate.exchange import Reading
from lockgate.wire.chat import ChatLens, read_message
from lockgate.wire.chat_fields import BESIDE
from lockgate.wire.pointer import escape

LENS = ChatLens()

TOOL = {
    "type": "function",
    "function": {
        "name": "tool-name",
        "description": "tool-description",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "property-description", "enum": ["enum-value"]}},
            "required": ["city"],
        },
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "call-name", "arguments": '{"city":"call-argument"}'}}
CUSTOM_CALL = {"id": "call_2", "type": "custom", "custom": {"name": "custom-name", "input": "custom-input"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "schema-name", "schema": {"title": "schema-title"}}}
REQUEST: dict[str, Any] = {
    "model": "m",
    "user": "u-1",
    "safety_identifier": "s-1",
    "prompt_cache_key": "p-1",
    "messages": [
        {"role": "system", "content": "system-text", "name": "system-name"},
        {"role": "developer", "content": [{"type": "text", "text": "developer-part", "cache_control": {"type": "x"}}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "user-part-one"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"filename": "file-name", "file_data": "AAAA"}},
                {"type": "text", "text": "user-part-two"},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "refusal-part"}],
            "refusal": "refusal-text",
            "reasoning_content": "reasoning-content",
            "reasoning": "reasoning-text",
            "audio": {"id": "audio_1"},
            "tool_calls": [CALL, CUSTOM_CALL],
            "function_call": {"name": "old-name", "arguments": "old-arguments"},
        },
        {"role": "tool", "content": "tool-result", "tool_call_id": "call_1"},
        {"role": "function", "content": "function-result", "name": "function-name"},
    ],
    "tools": [
        TOOL,
        {
            "type": "custom",
            "custom": {"name": "c-name", "description": "c-text", "format": {"definition": "c-grammar"}},
        },
        {"type": "other", "whatever": ["other-text"]},
    ],
    "functions": [{"name": "f-name", "description": "f-description", "parameters": {"title": "f-title"}}],
    "response_format": SCHEMA,
    "stop": ["stop-one", "stop-two"],
    "metadata": {"meta-key": "meta-value"},
    "prediction": {"type": "content", "content": [{"type": "text", "text": "prediction-part"}]},
    "web_search_options": {"user_location": {"approximate": {"city": "search-city"}}},
    "tool_choice": {"type": "function", "function": {"name": "tool-name"}},
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "n": 2,
}
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "answer-text",
                "refusal": "answer-refusal",
                "reasoning_content": "answer-thought",
                "reasoning": "answer-reasoning",
                "audio": {"id": "a", "data": "AAAA", "transcript": "answer-transcript", "expires_at": 1},
                "tool_calls": [CALL, CUSTOM_CALL],
                "function_call": {"name": "old-name", "arguments": "old-arguments"},
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "cited-url", "title": "cited-title", "start_index": 0},
                    }
                ],
            },
            "logprobs": {"content": [{"token": "answer-", "logprob": -1, "bytes": [1]}, {"token": "text"}]},
        },
        {"index": 1, "message": {"content": [{"type": "text", "text": "second-choice"}]}, "token_ids": [1]},
    ],
    "usage": {"total_tokens": 1},
}


def said(reading: Reading) -> dict[str, tuple[str, str, str]]:
    """Pointer → (role, kind, text) of what can be edited; fixed texts have a bar before their kind."""
    return {s.where: (s.role, ("|" if s.fixed else "") + s.kind, s.text) for s in reading.segments}


def test_every_text_of_a_request() -> None:
    reading = LENS.read_request(REQUEST)
    assert said(reading) == {
        "/messages/0/content": ("system", "text", "system-text"),
        "/messages/0/name": ("system", "text", "system-name"),
        "/messages/1/content/0/text": ("system", "text", "developer-part"),
        "/messages/2/content/0/text": ("user", "text", "user-part-one"),
        "/messages/2/content/3/file/filename": ("user", "text", "file-name"),
        "/messages/2/content/4/text": ("user", "text", "user-part-two"),
        "/messages/3/content/0/refusal": ("assistant", "text", "refusal-part"),
        "/messages/3/refusal": ("assistant", "text", "refusal-text"),
        "/messages/3/reasoning_content": ("assistant", "reasoning", "reasoning-content"),
        "/messages/3/reasoning": ("assistant", "reasoning", "reasoning-text"),
        "/messages/3/tool_calls/0/function/name": ("assistant", "|tool_call", "call-name"),
        "/messages/3/tool_calls/0/function/arguments": ("assistant", "tool_call", '{"city":"call-argument"}'),
        "/messages/3/tool_calls/1/custom/name": ("assistant", "|tool_call", "custom-name"),
        "/messages/3/tool_calls/1/custom/input": ("assistant", "tool_call", "custom-input"),
        "/messages/3/function_call/name": ("assistant", "|tool_call", "old-name"),
        "/messages/3/function_call/arguments": ("assistant", "tool_call", "old-arguments"),
        "/messages/4/content": ("tool", "tool_result", "tool-result"),
        "/messages/5/content": ("tool", "tool_result", "function-result"),
        "/messages/5/name": ("tool", "text", "function-name"),
        "/tools/0/function/name": ("system", "|tool_schema", "tool-name"),
        "/tools/0/function/description": ("system", "tool_schema", "tool-description"),
        "/tools/0/function/parameters": ("system", "|tool_schema", "type\nproperties\nrequired"),
        "/tools/0/function/parameters/type": ("system", "tool_schema", "object"),
        "/tools/0/function/parameters/properties": ("system", "|tool_schema", "city"),
        "/tools/0/function/parameters/properties/city": ("system", "|tool_schema", "type\ndescription\nenum"),
        "/tools/0/function/parameters/properties/city/type": ("system", "tool_schema", "string"),
        "/tools/0/function/parameters/properties/city/description": ("system", "tool_schema", "property-description"),
        "/tools/0/function/parameters/properties/city/enum/0": ("system", "tool_schema", "enum-value"),
        "/tools/0/function/parameters/required/0": ("system", "tool_schema", "city"),
        "/tools/1/custom/name": ("system", "|tool_schema", "c-name"),
        "/tools/1/custom/description": ("system", "tool_schema", "c-text"),
        "/tools/1/custom/format": ("system", "|tool_schema", "definition"),
        "/tools/1/custom/format/definition": ("system", "tool_schema", "c-grammar"),
        "/tools/2": ("system", "|tool_schema", "type\nwhatever"),
        "/tools/2/whatever/0": ("system", "tool_schema", "other-text"),
        "/functions/0/name": ("system", "|tool_schema", "f-name"),
        "/functions/0/description": ("system", "tool_schema", "f-description"),
        "/functions/0/parameters": ("system", "|tool_schema", "title"),
        "/functions/0/parameters/title": ("system", "tool_schema", "f-title"),
        "/response_format": ("system", "|tool_schema", "type\njson_schema"),
        "/response_format/json_schema": ("system", "|tool_schema", "name\nschema"),
        "/response_format/json_schema/name": ("system", "tool_schema", "schema-name"),
        "/response_format/json_schema/schema": ("system", "|tool_schema", "title"),
        "/response_format/json_schema/schema/title": ("system", "tool_schema", "schema-title"),
        "/user": ("user", "identifier", "u-1"),
        "/safety_identifier": ("user", "identifier", "s-1"),
        "/prompt_cache_key": ("user", "identifier", "p-1"),
        "/stop/0": ("user", "text", "stop-one"),
        "/stop/1": ("user", "text", "stop-two"),
        "/metadata": ("user", "|text", "meta-key"),
        "/metadata/meta-key": ("user", "text", "meta-value"),
        "/prediction/content/0/text": ("assistant", "text", "prediction-part"),
        "/web_search_options": ("user", "|text", "user_location"),
        "/web_search_options/user_location": ("user", "|text", "approximate"),
        "/web_search_options/user_location/approximate": ("user", "|text", "city"),
        "/web_search_options/user_location/approximate/city": ("user", "text", "search-city"),
    }
    assert reading.skipped == {
        "/messages/2/content/1": "image: not text",
        "/messages/2/content/2": "audio: not text",
        "/messages/2/content/3": "file content: not text",
        "/messages/1/content/0/cache_control": "settings: not text",
        "/tool_choice": "settings: not text",
        "/stream_options": "settings: not text",
    }
    assert reading.unknown == []
    assert (reading.stream, reading.choices) == (False, 2)
    assert (reading.subject.model, reading.subject.user) == ("m", "u-1")


def test_every_text_of_an_answer() -> None:
    reading = LENS.read_answer(ANSWER)
    base = "/choices/0/message"
    assert said(reading) == {
        f"{base}/content": ("assistant", "text", "answer-text"),
        f"{base}/refusal": ("assistant", "text", "answer-refusal"),
        f"{base}/reasoning_content": ("assistant", "reasoning", "answer-thought"),
        f"{base}/reasoning": ("assistant", "reasoning", "answer-reasoning"),
        f"{base}/audio/transcript": ("assistant", "text", "answer-transcript"),
        f"{base}/tool_calls/0/function/name": ("assistant", "|tool_call", "call-name"),
        f"{base}/tool_calls/0/function/arguments": ("assistant", "tool_call", '{"city":"call-argument"}'),
        f"{base}/tool_calls/1/custom/name": ("assistant", "|tool_call", "custom-name"),
        f"{base}/tool_calls/1/custom/input": ("assistant", "tool_call", "custom-input"),
        f"{base}/function_call/name": ("assistant", "|tool_call", "old-name"),
        f"{base}/function_call/arguments": ("assistant", "tool_call", "old-arguments"),
        f"{base}/annotations/0": ("assistant", "|text", "type\nurl_citation"),
        f"{base}/annotations/0/url_citation": ("assistant", "|text", "url\ntitle\nstart_index"),
        f"{base}/annotations/0/url_citation/url": ("assistant", "text", "cited-url"),
        f"{base}/annotations/0/url_citation/title": ("assistant", "text", "cited-title"),
        "/choices/1/message/content/0/text": ("assistant", "text", "second-choice"),
    }
    assert reading.skipped == {
        f"{base}/audio/data": "audio: not text",
        "/choices/0/logprobs/content": "spells content, which is read; dropped if that is edited",
        "/choices/1/token_ids": "tokens: not text",
    }
    assert reading.unknown == []
    assert {s.choice for s in reading.segments if s.where.startswith(base)} == {0}
    assert {s.choice for s in reading.segments if not s.where.startswith(base)} == {1}


def test_an_error_of_the_upstream_is_read() -> None:
    reading = LENS.read_answer({"error": {"message": "error-text", "code": None, "param": {"x": "error-more"}}})
    assert [(s.where, s.role, s.choice) for s in reading.segments if not s.fixed] == [
        ("/error/message", "upstream", None),
        ("/error/param/x", "upstream", None),
    ]


def objects(value: Any, where: str = "") -> Iterator[str]:
    """Pointers of all objects of a document."""
    if isinstance(value, dict):
        yield where
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from objects(item, f"{where}/{escape(str(key))}")


def put(document: Any, where: str, key: str | int, value: Any) -> Any:
    changed = copy.deepcopy(document)
    at = changed
    for token in where.split("/")[1:]:
        at = at[int(token)] if isinstance(at, list) else at[token]
    at[key] = value
    return changed


def accounted(reading: Reading, where: str, text: str) -> bool:
    """The text at `where` is in a segment, or the record says why it, or what it stands in, is not read."""
    tokens = where.split("/")
    above = {"/".join(tokens[:i]) for i in range(2, len(tokens) + 1)}
    return any(text in segment.text for segment in reading.segments) or not above.isdisjoint(reading.skipped)


def leaves(value: Any, where: str = "") -> Iterator[str]:
    """Pointers of everything in a document that is no object and no array."""
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, f"{where}/{escape(key)}")
    elif value is not None:
        yield where


@pytest.mark.parametrize(("side", "document"), [("prompt", REQUEST), ("completion", ANSWER)])
def test_every_place_is_read_or_recorded_or_beside(side: str, document: Any) -> None:
    reading = LENS.read_request(document) if side == "prompt" else LENS.read_answer(document)
    known = {segment.where for segment in reading.segments} | reading.skipped.keys()
    patterns = [
        re.compile(re.escape(place).replace(r"\*", "[^/]+") + "(?:/.*)?")
        for place in BESIDE[f"chat.{side}"]
        if place not in ("/tool_choice", "/stream_options")
    ]
    for where in leaves(document):
        tokens = where.split("/")
        above = {"/".join(tokens[:i]) for i in range(2, len(tokens) + 1)}
        if above.isdisjoint(known):
            assert any(pattern.fullmatch(where) for pattern in patterns), where


@pytest.mark.parametrize("key", ["user", "safety_identifier", "prompt_cache_key"])
def test_an_identifier_of_another_shape_hides_nothing(key: str) -> None:
    reading = LENS.read_request({"messages": [], key: {"a": ["unseen words"]}})
    assert (f"/{key}/a/0", "identifier", "unseen words") in [(s.where, s.kind, s.text) for s in reading.segments]
    assert LENS.read_request({"messages": [], key: 5551234567}).unknown == [f"/{key}"]
    assert LENS.read_request({"messages": [], key: None}).unknown == []


@pytest.mark.parametrize("key", ["service_tier", "reasoning_effort", "tool_choice", "seed", "stream_options"])
def test_a_setting_that_is_a_sentence_is_unread(key: str) -> None:
    assert LENS.read_request({"messages": [], key: "unseen words"}).unknown == [f"/{key}"]
    assert LENS.read_request({"messages": [], key: "auto"}).unknown == []


def test_a_reason_for_the_end_that_is_a_sentence_is_unread() -> None:
    assert LENS.read_answer({"choices": [{"finish_reason": "unseen words"}]}).unknown == ["/choices/0/finish_reason"]


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x/?q=1", "detail": "low"}}, "/image_url/url"),
        ({"type": "image_url", "image_url": "https://x/?q=1"}, "/image_url"),
        ({"type": "video_url", "video_url": {"url": "https://x/?q=1"}}, "/video_url/url"),
        ({"type": "file", "file": {"file_url": "https://x/?q=1"}}, "/file/file_url"),
        ({"type": "input_image", "input_image": {"url": "https://x/?q=1"}}, "/input_image/url"),
    ],
)
def test_the_address_of_a_picture_is_a_text(part: Any, where: str) -> None:
    reading = LENS.read_request({"messages": [{"role": "user", "content": [part]}]})
    assert said(reading) == {f"/messages/0/content/0{where}": ("user", "link", "https://x/?q=1")}
    assert list(reading.skipped) == ["/messages/0/content/0"]


def test_a_picture_that_is_its_own_address_is_not() -> None:
    part = {"type": "image_url", "image_url": {"url": "DATA:image/png;base64,AAAA"}}
    assert LENS.read_request({"messages": [{"role": "user", "content": [part]}]}).segments == []


@pytest.mark.parametrize(
    ("thinking", "where"), [("unseen words", ""), ([{"type": "text", "text": "unseen words"}], "/0/text")]
)
def test_a_part_that_thinks_is_read_as_reasoning(thinking: Any, where: str) -> None:
    message = {"role": "assistant", "content": [{"type": "thinking", "thinking": thinking}]}
    for reading in (
        LENS.read_request({"messages": [message]}),
        LENS.read_answer({"choices": [{"message": message}]}),
    ):
        (segment,) = reading.segments
        assert segment.where.endswith(f"/content/0/thinking{where}")
        assert (segment.kind, segment.text) == ("reasoning", "unseen words")


@pytest.mark.parametrize("key", [7, None, ("a", "b"), 1.5])
@pytest.mark.parametrize("where", ["", "/content/0", "/tool_calls/0", "/tool_calls/0/function", "/annotations/0"])
def test_a_key_that_is_no_text_is_unread(where: str, key: Any) -> None:
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": "x"}],
        "tool_calls": [{"function": {"name": "f", "arguments": ""}}],
        "annotations": [{"type": "x"}],
    }
    reading = Reading()
    read_message(reading, "", put(message, where, key, 1), "assistant", None)
    assert len(reading.unknown) == (where != "/annotations/0")


NUMBERS_ONLY = ("/usage",)


@pytest.mark.parametrize("key", ["hidden", "hid/den~", "hidden text of a key"])
@pytest.mark.parametrize("where", list(objects(REQUEST)))
def test_nothing_added_to_a_request_goes_unseen(where: str, key: str) -> None:
    reading = LENS.read_request(put(REQUEST, where, key, "unseen words"))
    assert accounted(reading, f"{where}/{escape(key)}", "unseen words")
    reading = LENS.read_request(put(REQUEST, where, key, 1))
    assert accounted(reading, f"{where}/{escape(key)}", key)


@pytest.mark.parametrize("where", [where for where in objects(ANSWER) if where not in NUMBERS_ONLY])
def test_nothing_added_to_an_answer_goes_unseen(where: str) -> None:
    reading = LENS.read_answer(put(ANSWER, where, "hidden", "unseen words"))
    assert accounted(reading, f"{where}/hidden", "unseen words")


ODD_PLACES = [
    *(f"/choices/0/message/{key}" for key in ANSWER["choices"][0]["message"] if key != "role"),
    *("/choices", "/choices/0", "/choices/0/message", "/choices/0/logprobs", "/choices/0/delta", "/choices/0/text"),
    *(f"/choices/0/message/tool_calls/0{rest}" for rest in ("", "/function", "/function/name", "/function/arguments")),
    *(f"/choices/0/message/tool_calls/1{rest}" for rest in ("/custom", "/custom/input")),
    *("/choices/0/message/audio/transcript", "/choices/0/message/annotations/0", "/choices/1/message/content/0"),
]


@pytest.mark.parametrize("odd", ["unseen words", ["unseen words"], {"a": "unseen words"}, {"unseen words": {}}])
@pytest.mark.parametrize("where", ODD_PLACES)
def test_an_odd_shape_in_an_answer_hides_nothing(where: str, odd: Any) -> None:
    holder, _, key = where.rpartition("/")
    reading = LENS.read_answer(put(ANSWER, holder, int(key) if key.isdigit() else key, odd))
    assert accounted(reading, where, "unseen words") or accounted(reading, f"{where}/{next(iter(odd))}", "unseen words")
    if not where.startswith("/choices/1"):
        rest = [s.text for s in reading.segments]
        assert ("second-choice" in rest) == (where != "/choices")


@pytest.mark.parametrize("number", [123456789, 0.5, True])
def test_a_number_in_place_of_a_text_is_unread(number: float) -> None:
    assert LENS.read_answer({"choices": [{"message": {"content": number}}]}).unknown == ["/choices/0/message/content"]


def test_arguments_that_are_an_object_are_read_where_they_stand() -> None:
    call = {"function": {"name": "f", "arguments": {"to": "bob@example.com", "ok": True}}}
    reading = LENS.read_answer({"choices": [{"message": {"tool_calls": [call]}}]})
    assert ("/choices/0/message/tool_calls/0/function/arguments/to", "bob@example.com") in [
        (s.where, s.text) for s in reading.segments
    ]
    assert reading.unknown == []
    call["function"]["arguments"] = {"number": 4111111111111111}
    reading = LENS.read_answer({"choices": [{"message": {"tool_calls": [call]}}]})
    assert reading.unknown == ["/choices/0/message/tool_calls/0/function/arguments"]
