from __future__ import annotations

import copy
from typing import Any

import pytest

from lockgate.exchange import Reading
from lockgate.verdict import Edit
from lockgate.wire.values import edit_value, is_message, is_text, only_text, read_value

USER = {"role": "user", "content": "hello"}
CHAT = [{"role": "system", "content": "be kind"}, USER]


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
        ([], False, False),
        (["x"], False, False),
        ([USER, "x"], False, False),
        ((USER,), False, False),
        ({"content": "x"}, False, False),
        ({"role": 1}, False, False),
        (None, False, False),
        (5, False, False),
        (b"x", False, False),
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


@pytest.mark.parametrize("value", [5, b"x", ("x",), ["x"], {"content": "x"}, object(), [USER, 5], [], {}, 0, False])
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
