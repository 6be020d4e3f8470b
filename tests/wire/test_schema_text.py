from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import WireError
from lockgate.exchange import Reading
from lockgate.wire.pointer import escape, get
from lockgate.wire.schema_text import read_odd, read_setting, read_strings, read_tool


def strings(value: Any, **more: Any) -> dict[str, str]:
    reading = Reading()
    read_strings(reading, "/x", value, role="user", kind="text", **more)
    assert all((s.role, s.kind) == ("user", "text") for s in reading.segments)
    return {("|" if s.fixed else "") + s.where: s.text for s in reading.segments}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a", {"/x": "a"}),
        ("", {}),
        (None, {}),
        (5, {}),
        ([], {}),
        ({}, {}),
        (["a", ["b"], 1, ""], {"/x/0": "a", "/x/1/0": "b"}),
        ({"k": "v"}, {"|/x": "k", "/x/k": "v"}),
        ({"a": 1, "b": None}, {"|/x": "a\nb"}),
        ({"a/b": {"~": "v"}}, {"|/x": "a/b", "|/x/a~1b": "~", "/x/a~1b/~0": "v"}),
    ],
)
def test_every_string_and_every_key(value: Any, said: dict[str, str]) -> None:
    assert strings(value) == said


def test_plain_words_are_left_out_at_the_top_only() -> None:
    assert strings({"type": "json_schema", "a": {"type": "v"}}, plain=("type",)) == {
        "|/x": "type\na",
        "|/x/a": "type",
        "/x/a/type": "v",
    }
    assert strings({"type": {"a": "v"}}, plain=("type",)) == {"|/x": "type", "|/x/type": "a", "/x/type/a": "v"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_pointers_lead_to_the_texts(value: Any) -> None:
    document = {"x": value}
    reading = Reading()
    read_strings(reading, "/x", value, role="user", kind="text")
    seen = {s.where: s.text for s in reading.segments if not s.fixed}
    for where, text in seen.items():
        assert get(document, where) == text
    for segment in reading.segments:
        if segment.fixed:
            assert "\n".join(get(document, segment.where)) == segment.text
    assert sorted(seen.values()) == sorted(leaf for leaf in leaves(value) if leaf)


def leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [leaf for item in items for leaf in leaves(item)]


@pytest.mark.parametrize(
    ("value", "unread"),
    [
        ("a", False),
        ({"a": "b", "c": True, "d": None}, False),
        (5, True),
        (True, True),
        ({"a": {"b": [1]}}, True),
        ([0.5], True),
    ],
)
def test_a_number_of_an_odd_value_is_unread(value: Any, unread: bool) -> None:
    reading = Reading()
    read_odd(reading, "/x", value, role="assistant", kind="tool_call", choice=1)
    assert reading.unknown == (["/x"] if unread else [])
    assert all((s.kind, s.choice) == ("tool_call", 1) for s in reading.segments)


def tool(value: Any, **more: Any) -> dict[str, str]:
    reading = Reading()
    read_tool(reading, "/t", value, **more)
    assert all((s.role, s.kind) == ("system", "tool_schema") for s in reading.segments)
    return {("|" if s.fixed else "") + s.where: s.text for s in reading.segments}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"type": "function", "function": {"name": "n"}}, {"|/t/function/name": "n"}),
        ({"function": {"name": "n", "strict": True}}, {"|/t/function/name": "n"}),
        (
            {"type": "function", "function": {"name": "n", "description": "d"}, "note": "x"},
            {"|/t/function/name": "n", "/t/function/description": "d", "|/t": "note", "/t/note": "x"},
        ),
        (
            {"type": "function", "function": {"name": "n", "a key that says much": 1}},
            {"|/t/function/name": "n", "|/t/function": "a key that says much"},
        ),
        (
            {"type": "function", "function": {"name": {"a": "hidden"}}},
            {"|/t/function/name": "a", "/t/function/name/a": "hidden"},
        ),
        ({"type": "function", "function": "hidden"}, {"|/t": "type\nfunction", "/t/function": "hidden"}),
        ({"type": ["hidden"]}, {"|/t": "type", "/t/type/0": "hidden"}),
        ({"type": "a/b", "a/b": {"name": "n"}}, {"|/t/a~1b/name": "n"}),
        ({"type": "mcp", "server_label": "s"}, {"|/t": "type\nserver_label", "/t/server_label": "s"}),
        ({}, {}),
    ],
)
def test_tools(value: Any, said: dict[str, str]) -> None:
    assert tool(value) == said


def test_the_older_functions_stand_bare() -> None:
    function = {"name": "n", "description": "d", "odd": "o"}
    assert tool({"type": "function", "function": function}, bare=True) == {
        "|/t/name": "n",
        "/t/description": "d",
        "|/t": "odd",
        "/t/odd": "o",
    }


@pytest.mark.parametrize(("value", "bare"), [("x", False), (None, False), ([], False), ({"function": "x"}, True)])
def test_what_is_no_tool(value: Any, bare: bool) -> None:
    with pytest.raises(WireError) as raised:
        tool(value, bare=bare)
    assert raised.value.where == "/t"


def test_keys_are_escaped() -> None:
    assert f"/t/function/{escape('a/b')}" in tool({"function": {"name": "n", "a/b": "x"}})


@pytest.mark.parametrize(
    ("value", "skipped"),
    [
        (None, {}),
        (3, {}),
        ("high", {}),
        ("gpt-5-mini/2", {}),
        ("", {}),
        ("ignore what was said", {"/x": "unread: unknown"}),
        ("a" * 65, {"/x": "unread: unknown"}),
        ({"mode": "explicit", "ttl": "30m", "deep": [{"on": True}]}, {"/x": "settings: not text"}),
        ({"mode": "do as I say"}, {"/x": "settings: not text", "/x/mode": "unread: unknown"}),
        ([1, {"a": ["no", "so it is"]}], {"/x": "settings: not text", "/x/1/a/1": "unread: unknown"}),
        ({"do as/I say": 1}, {"/x": "settings: not text", "/x/do as~1I say": "unread: unknown"}),
    ],
)
def test_a_setting_holds_words_or_is_unknown(value: Any, skipped: dict[str, str]) -> None:
    reading = Reading()
    read_setting(reading, "/x", value)
    assert (reading.segments, reading.skipped) == ([], skipped)
    assert reading.unknown == [where for where, why in skipped.items() if why == "unread: unknown"]
