from __future__ import annotations

import copy
import dataclasses
import threading
from enum import Enum
from typing import Any

import pytest

from lockgate.exchange import Reading
from lockgate.verdict import Edit
from lockgate.wire.document import MAX_DEPTH
from lockgate.wire.values import edit_value, is_answer, is_message, is_text, only_text, read_argument, read_value

USER = {"role": "user", "content": "hello"}
CHAT = [{"role": "system", "content": "be kind"}, USER]


class Word(str, Enum):  # noqa: UP042 - its str() is not its value
    SECRET = "secret"


def read(value: Any, where: str = "/q", choice: int | None = None) -> Reading:
    reading = Reading()
    read_value(reading, where, value, "user", choice)
    return reading


@pytest.mark.parametrize(
    ("value", "message", "text"),
    [
        ("x", False, True),
        ("", False, True),
        (USER, True, True),
        ({"role": "user"}, True, True),
        (CHAT, False, True),
        ([], False, True),
        (["x"], False, True),
        ([USER, "x"], False, True),
        ((USER,), False, True),
        ({"content": "x"}, False, True),
        ({"role": 1}, False, True),
        (None, False, False),
        (5, False, False),
        (b"x", False, True),
        ({"x"}, False, True),
        (object(), False, False),
    ],
)
def test_what_is_a_text(value: Any, message: bool, text: bool) -> None:
    assert is_message(value) is message
    assert is_text(value) is text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x", [("/q", "user", "text", "x")]),
        ("", []),
        (None, []),
        (USER, [("/q/content", "user", "text", "hello")]),
        (
            [
                {"role": "assistant", "content": [{"type": "text", "text": "a"}], "refusal": "b"},
                {"role": "tool", "content": "c"},
            ],
            [
                ("/q/0/content/0/text", "assistant", "text", "a"),
                ("/q/0/refusal", "assistant", "text", "b"),
                ("/q/1/content", "tool", "tool_result", "c"),
            ],
        ),
    ],
)
def test_texts_of_a_value(value: Any, said: list[tuple[str, str, str, str]]) -> None:
    reading = read(value)
    assert [(s.where, s.role, s.kind, s.text) for s in reading.segments] == said
    assert reading.unknown == []


@pytest.mark.parametrize("value", [5, b"x", bytearray(b"x"), object(), iter("x"), 0, False])
def test_what_can_not_be_read_is_unknown(value: Any) -> None:
    reading = read(value)
    assert (reading.segments, reading.unknown) == ([], ["/q"])


@pytest.mark.parametrize(
    ("value", "unknown", "texts"),
    [
        ({"role": "pirate", "content": "x"}, ["/q/role"], ["x"]),
        ([USER, {"role": "user", "content": 5}], ["/q/1/content"], ["hello"]),
        ([{"role": "user", "content": 5}, USER], ["/q/0/content"], ["hello"]),
        ({"role": "user", "content": "x", "mood": "y"}, ["/q/mood"], ["x"]),
    ],
)
def test_parts_that_can_not_be_read_are_unknown(value: Any, unknown: list[str], texts: list[str]) -> None:
    reading = read(value)
    assert reading.unknown == unknown
    assert [segment.text for segment in reading.segments] == texts


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], []),
        ({}, []),
        ([1, 2.5, True, None, ""], []),
        (["x", ["y"]], [("/q/0", "x", False), ("/q/1/0", "y", False)]),
        (("x", {"a": "y"}), [("/q/0", "x", True), ("/q/1", "a", True), ("/q/1/a", "y", False)]),
        ({("x", "y"): {"a": "z"}}, [
            ("/q/0/0", "x", True), ("/q/0/1", "y", True), ("/q/0", "a", True), ("/q/0/a", "z", True)]),
        ({"x"}, [("/q/0", "x", True)]),
        ({"a": {"b/c": "x"}, "d": 5}, [
            ("/q", "a\nd", True), ("/q/a", "b/c", True), ("/q/a/b~1c", "x", False)]),
        ([USER, {"a": "x"}], [("/q/0/content", "hello", False), ("/q/1", "a", True), ("/q/1/a", "x", False)]),
        ((USER,), [("/q/0/content", "hello", False)]),
        ({"who": {"role": "admin", "of": "x"}}, [
            ("/q", "who", True), ("/q/who", "role\nof", True), ("/q/who/role", "admin", False),
            ("/q/who/of", "x", False)]),
        ({1: "x"}, [("/q/0", "x", True)]),
        ({("x", 2): 3}, [("/q/0/0", "x", True)]),
        ({Word.SECRET: "x"}, [("/q", "secret", True), ("/q/secret", "x", False)]),
    ],
)  # fmt: skip
def test_strings_of_a_container(value: Any, said: list[tuple[str, str, bool]]) -> None:
    reading = read(value)
    assert [(s.where, s.text, s.fixed) for s in reading.segments] == said
    assert {(s.role, s.kind) for s in reading.segments} <= {("user", "text")}
    assert reading.unknown == []


@pytest.mark.parametrize(
    ("value", "unknown"),
    [
        (["x", b"y"], ["/q/1"]),
        ({"a": bytearray(b"y"), "b": "x"}, ["/q/a"]),
        ([object(), "x"], ["/q/0"]),
        ({b"y": "x"}, ["/q/0"]),
    ],
)
def test_bytes_and_objects_in_a_container_are_unknown(value: Any, unknown: list[str]) -> None:
    reading = read(value)
    assert reading.unknown == unknown
    assert "x" in [segment.text for segment in reading.segments]


TOOL = {"type": "function", "function": {"name": "look", "description": "x"}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ((USER, USER), [("/q/0/content", "user", "text"), ("/q/1/content", "user", "text")]),
        ({"messages": CHAT, "model": "m", "user": "u"}, [
            ("/q", "user", "text"), ("/q/messages/0/content", "system", "text"),
            ("/q/messages/1/content", "user", "text")]),
        ({"messages": [{"role": "tool", "content": "x"}], "tools": [TOOL], "notes": ["y"]}, [
            ("/q", "user", "text"), ("/q/messages/0/content", "tool", "tool_result"),
            ("/q/tools/0/function/name", "system", "tool_schema"),
            ("/q/tools/0/function/description", "system", "tool_schema"), ("/q/notes/0", "user", "text")]),
        ({"messages": CHAT[:1], "tools": ["y"]}, [
            ("/q", "user", "text"), ("/q/messages/0/content", "system", "text"), ("/q/tools/0", "user", "text")]),
        ({"tools": [TOOL]}, [
            ("/q", "user", "text"), ("/q/tools/0", "user", "text"), ("/q/tools/0/type", "user", "text"),
            ("/q/tools/0/function", "user", "text"), ("/q/tools/0/function/name", "user", "text"),
            ("/q/tools/0/function/description", "user", "text")]),
    ],
)  # fmt: skip
def test_messages_within_a_container(value: Any, said: list[tuple[str, str, str]]) -> None:
    reading = read(value)
    assert [(s.where, s.role, s.kind) for s in reading.segments] == said
    assert reading.unknown == []


def test_messages_in_a_tuple_can_be_edited() -> None:
    assert edit_value((USER, "x"), [Edit("/0/content", (0, 5), "bye")]) == ({"role": "user", "content": "bye"}, "x")


@pytest.mark.parametrize(
    ("name", "value", "kinds"),
    [
        ("tools", [TOOL], ["tool_schema", "tool_schema"]),
        ("tools", (TOOL,), ["text"] * 5),
        ("tools", ["x", b"y"], ["text"]),
        ("question", "x", ["text"]),
        ("messages", CHAT, ["text", "text"]),
    ],
)
def test_what_stands_beside_messages(name: str, value: Any, kinds: list[str]) -> None:
    reading = Reading()
    read_argument(reading, f"/{name}", name, value)
    assert [segment.kind for segment in reading.segments] == kinds


ANSWER = {
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "I am Bob"},
            "logprobs": {"content": [{"token": "I am Bob"}]},
        },
        {"index": 1, "message": {"role": "assistant", "content": "Bob too"}},
    ]
}


def test_an_answer_is_read_choice_by_choice_and_edited_with_what_depends_on_it() -> None:
    assert is_answer(ANSWER)
    assert not is_answer({"choices": ["x"]})
    reading = read(ANSWER, "", choice=0)
    assert [(s.where, s.choice) for s in reading.segments] == [
        ("/choices/0/message/content", 0), ("/choices/1/message/content", 1)]  # fmt: skip
    edit = Edit("/choices/0/message/content", (5, 8), "B.")
    edited = edit_value(ANSWER, [edit])
    assert edited["choices"][0]["message"]["content"] == "I am B."
    assert edited["choices"][0]["logprobs"] is None
    assert edited["choices"][1] == ANSWER["choices"][1]
    within = edit_value({"a": [ANSWER]}, [dataclasses.replace(edit, where=f"/a/0{edit.where}")])
    assert within == {"a": [edited]}


def test_log_probabilities_that_spell_another_text_go_as_a_whole() -> None:
    answer = copy.deepcopy(ANSWER)
    answer["choices"][0]["logprobs"] = {"content": [{"token": "Bob"}]}
    edited = edit_value(answer, [Edit("/choices/0/logprobs/content", (0, 3), "B.")])
    assert edited["choices"][0]["logprobs"] is None


def test_a_container_that_holds_itself_is_read_once() -> None:
    value: list[Any] = ["Bob"]
    value += [value, (value,), {"again": value}]
    assert [s.text for s in read(value).segments] == ["Bob", "again"]
    edited = edit_value(value, [Edit("/q/0", (0, 3), "B.")], base="/q")
    assert (edited[0], edited[1] is edited, edited[3]["again"] is edited) == ("B.", True, True)
    assert value[0] == "Bob"


def test_a_container_in_two_places_is_edited_in_both() -> None:
    shared = {"a": "Bob"}
    edited = edit_value([shared, (shared,)], [Edit("/0/a", (0, 3), "B.")])
    assert edited == [{"a": "B."}, ({"a": "B."},)]


def test_what_is_nested_too_deep_is_unknown() -> None:
    value: Any = "deep"
    for _ in range(MAX_DEPTH + 2):
        value = [value]
    reading = read(["x", value])
    assert [segment.text for segment in reading.segments] == ["x"]
    assert len(reading.unknown) == 1


def test_only_containers_are_copied() -> None:
    lock = threading.Lock()
    edited = edit_value({"lock": lock, "a": ["Bob", lock]}, [Edit("/a/0", (0, 3), "B.")])
    assert edited == {"lock": lock, "a": ["B.", lock]}


def test_a_key_of_an_enum_is_found_again() -> None:
    assert edit_value({Word.SECRET: "Bob"}, [Edit("/secret", (0, 3), "B.")]) == {"secret": "B."}


def test_an_answer_of_an_odd_shape_is_read() -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"arguments": {"to": "bob"}}}]}
    assert "bob" in [segment.text for segment in read(call, choice=0).segments]
    assert {segment.choice for segment in read(call, choice=0).segments} == {0}


def test_edits_go_where_they_belong_and_to_a_copy() -> None:
    chat = [{"role": "user", "content": [{"type": "text", "text": "I am Bob"}]}, {"role": "user", "content": "Bob too"}]
    before = copy.deepcopy(chat)
    edits = [
        Edit("/q/0/content/0/text", (5, 8), "[NAME]"),
        Edit("/q/1/content", (0, 3), "[NAME]"),
        Edit("/q/1/content", (4, 7), ""),
        Edit("/qq", (0, 1), "other"),
        Edit("/other/0/content", (0, 1), "other"),
    ]
    assert edit_value(chat, edits, base="/q") == [
        {"role": "user", "content": [{"type": "text", "text": "I am [NAME]"}]},
        {"role": "user", "content": "[NAME] "},
    ]
    assert chat == before


def test_a_bare_text_is_edited() -> None:
    assert edit_value("I am Bob", [Edit("", (5, 8), "B.")]) == "I am B."
    assert edit_value("I am Bob", [Edit("/q", (5, 8), "B.")], base="/q") == "I am B."
    assert edit_value({"role": "user", "content": "Bob"}, [Edit("/content", (0, 3), "B.")])["content"] == "B."


def test_without_edits_a_value_is_itself() -> None:
    assert edit_value(CHAT, []) is CHAT
    assert edit_value(CHAT, [Edit("/other/0/content", (0, 1), "")], base="/q") is CHAT


def test_keys_with_slashes() -> None:
    value = {"role": "assistant", "tool_calls": [{"function": {"arguments": {"a/b~": "Bob"}}}]}
    where = next(s.where for s in read(value, "", choice=0).segments if s.text == "Bob")
    done = edit_value(value, [Edit(where, (0, 3), "B.")])
    assert done["tool_calls"][0]["function"]["arguments"] == {"a/b~": "B."}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (USER, "hello"),
        (CHAT, "hello"),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"text": "b"}]}, "ab"),
        ({"role": "assistant", "content": None}, None),
        ([], None),
        (5, None),
        (None, None),
    ],
)
def test_the_text_to_show(value: Any, text: str | None) -> None:
    assert only_text(value) == text
