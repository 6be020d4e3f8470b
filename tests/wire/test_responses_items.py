from __future__ import annotations

import typing
from typing import Any

import pytest
from openai.types.responses import ResponseInputItem, ResponseOutputItem

from lockgate.exchange import Reading
from lockgate.wire.responses_fields import ITEM_PLAIN, ITEM_SKIPPED, ITEMS
from lockgate.wire.responses_items import Items, is_plain


def read(item: Any, choice: int | None = None) -> Reading:
    reading = Reading()
    Items(reading, choice).item("", item)
    return reading


def shown(reading: Reading) -> list[tuple[str, str, str, str]]:
    return [(s.where, s.role, s.kind, s.text) for s in reading.segments if not s.fixed]


TOOL_RESULT = ("tool", "tool_result")
CALL = ("assistant", "tool_call")

ROWS: list[tuple[dict[str, Any], list[tuple[str, ...]]]] = [
    ({"role": "user", "content": "a"}, [("/content", "user", "text", "a")]),
    ({"role": "developer", "content": "a"}, [("/content", "system", "text", "a")]),
    (
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "a"}]},
        [("/content/0/refusal", "assistant", "text", "a")],
    ),
    ({"type": "function_call", "name": "f", "arguments": "a"}, [("/arguments", *CALL, "a")]),
    ({"type": "custom_tool_call", "name": "f", "input": "a"}, [("/input", *CALL, "a")]),
    ({"type": "function_call_output", "output": "a"}, [("/output", *TOOL_RESULT, "a")]),
    (
        {"type": "custom_tool_call_output", "output": [{"type": "input_text", "text": "a"}]},
        [("/output/0/text", *TOOL_RESULT, "a")],
    ),
    (
        {"type": "mcp_call", "arguments": "a", "output": "b", "error": {"type": "http_error", "message": "c d"}},
        [("/arguments", *CALL, "a"), ("/output", *TOOL_RESULT, "b"), ("/error/message", *TOOL_RESULT, "c d")],
    ),
    ({"type": "mcp_approval_response", "approve": True, "reason": "a"}, [("/reason", "user", "text", "a")]),
    (
        {"type": "file_search_call", "queries": ["a"], "results": [{"text": "b", "file_id": "f", "attributes": {"k": "c"}}]},
        [
            ("/queries/0", *CALL, "a"),
            ("/results/0/text", "tool", "document", "b"),
            ("/results/0/attributes/k", "tool", "document", "c"),
        ],
    ),
    (
        {"type": "web_search_call", "action": {"type": "search", "query": "a b", "sources": [{"type": "url", "url": "c"}]}},
        [("/action/query", *CALL, "a b"), ("/action/sources/0/url", *CALL, "c")],
    ),
    ({"type": "computer_call", "action": {"type": "type", "text": "a"}}, [("/action/text", *CALL, "a")]),
    (
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "https://a"}},
        [("/output/image_url", "tool", "link", "https://a")],
    ),
    (
        {"type": "code_interpreter_call", "code": "a", "outputs": [{"type": "logs", "logs": "b"}]},
        [("/code", *CALL, "a"), ("/outputs/0/logs", *TOOL_RESULT, "b")],
    ),
    (
        {"type": "local_shell_call", "action": {"type": "exec", "command": ["a"], "env": {"b": "c"}}},
        [("/action/command/0", *CALL, "a"), ("/action/env/b", *CALL, "c")],
    ),
    ({"type": "shell_call", "action": {"commands": ["a"]}}, [("/action/commands/0", *CALL, "a")]),
    (
        {"type": "shell_call_output", "output": [{"stdout": "a", "stderr": "b"}]},
        [("/output/0/stdout", *TOOL_RESULT, "a"), ("/output/0/stderr", *TOOL_RESULT, "b")],
    ),
    ({"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}}, [("/operation/path", *CALL, "a")]),
    (
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}], "content": None, "encrypted_content": "x"},
        [("/summary/0/text", "assistant", "reasoning", "a")],
    ),
    ({"type": "image_generation_call", "result": "aGk=", "revised_prompt": "a b"}, [("/revised_prompt", *CALL, "a b")]),
    ({"type": "program_output", "result": "a"}, [("/result", *TOOL_RESULT, "a")]),
    (
        {"type": "tool_search_output", "tools": [{"type": "namespace", "name": "n", "tools": [{"description": "a"}]}]},
        [("/tools/0/tools/0/description", "system", "tool_schema", "a")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "expected"), ROWS, ids=lambda value: value.get("type", "") if isinstance(value, dict) else ""
)
def test_an_item(item: dict[str, Any], expected: list[tuple[str, ...]]) -> None:
    reading = read(item)
    assert shown(reading) == expected
    assert reading.unknown == []
    said = read(item, 0)
    assert [(s.where, s.text) for s in said.segments] == [(s.where, s.text) for s in reading.segments]
    assert {segment.role for segment in said.segments} == {"assistant"}


@pytest.mark.parametrize(
    ("item", "unknown"),
    [
        ({"type": "newer_call", "text": "a"}, [""]),
        ({"type": "function_call", "more": "a"}, ["/more"]),
        ({"type": "function_call", "id": "a sentence"}, ["/id"]),
        ({"role": "user", "content": [{"type": "newer", "text": "a"}]}, ["/content/0"]),
        ({"role": "user", "content": [{"type": "input_text", "text": "a", "more": 1}]}, ["/content/0/more"]),
        ({"role": "oracle", "content": "a"}, ["/role"]),
    ],
)
def test_what_is_not_known_is_unread(item: dict[str, Any], unknown: list[str]) -> None:
    assert read(item).unknown == unknown


def test_a_reference_is_unseen() -> None:
    assert read({"type": "item_reference", "id": "msg_1"}).unseen == [""]
    assert read({"id": "msg_1"}).unseen == [""]


def test_media_are_skipped_and_their_addresses_read() -> None:
    parts = [
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_file", "filename": "my notes.pdf", "file_url": "https://a"},
    ]
    reading = read({"role": "user", "content": parts})
    assert shown(reading) == [
        ("/content/1/filename", "user", "text", "my notes.pdf"),
        ("/content/1/file_url", "user", "link", "https://a"),
    ]
    assert reading.skipped == {"/content/0": "image: not text", "/content/1": "file content: not text"}


def test_a_file_that_is_a_text_is_read() -> None:
    part = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8gdGhlcmU="}
    reading = read({"role": "user", "content": [part]})
    found = [(s.where, s.kind, s.text, s.fixed) for s in reading.segments]
    assert ("/content/0/file_data", "document", "hello there", True) in found


def test_annotations_and_log_probabilities() -> None:
    part = {
        "type": "output_text",
        "text": "hi",
        "annotations": [
            {"type": "url_citation", "start_index": 0, "end_index": 2, "title": "A page", "url": "https://a"}
        ],
        "logprobs": [{"token": "h", "logprob": 0}, {"token": "i", "logprob": 0}],
    }
    reading = read({"type": "message", "role": "assistant", "content": [part]}, 0)
    assert [s.text for s in reading.segments] == ["hi", "A page", "https://a"]
    assert reading.skipped["/content/0/logprobs"].startswith("spells: ")
    other = read({"type": "message", "role": "assistant", "content": [{**part, "text": "ho"}]}, 0)
    assert ("/content/0/logprobs", "hi") in [(s.where, s.text) for s in other.segments]


def test_a_tool_s_credentials_are_left_alone() -> None:
    reading = Reading()
    Items(reading, None).tools(
        "", [{"type": "mcp", "server_label": "s", "server_url": "https://a", "authorization": "x"}]
    )
    assert shown(reading) == [("/0/server_url", "system", "link", "https://a")]
    assert reading.skipped["/0/authorization"].startswith("credential: ")


@pytest.mark.parametrize(
    ("value", "plain"),
    [("rs_1", True), ("", True), (None, True), (1.5, True), ({"a": ["b"]}, True), ("a b", False), ({"a b": 1}, False)],
)
def test_what_may_be_a_sentence(value: object, plain: bool) -> None:
    assert is_plain(value) is plain


@pytest.mark.parametrize("union", [ResponseInputItem, ResponseOutputItem])
def test_every_item_that_the_sdk_knows_is_known(union: Any) -> None:
    while typing.get_origin(union) is typing.Annotated:
        union = typing.get_args(union)[0]
    for model in typing.get_args(union):
        said = typing.get_args(model.model_fields["type"].annotation)
        name = next((word for word in said if isinstance(word, str)), "")
        known = ITEMS["item_reference"] if model.__name__ == "ItemReference" else ITEMS[name or "message"]
        members = {field.alias or key for key, field in model.model_fields.items()}
        assert members - known.keys() - ITEM_PLAIN.keys() - ITEM_SKIPPED.keys() == set(), model.__name__
