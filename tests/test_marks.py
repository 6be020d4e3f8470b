from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.marks import Marker, encode, mark_of

KEY = b"0123456789abcdef"


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_a_text_in_pieces_has_the_mark_of_the_whole(pieces: list[str]) -> None:
    marker = Marker(KEY)
    running = marker.running()
    for piece in pieces:
        running.update(encode(piece))
    assert mark_of(running) == marker.mark("".join(pieces))


@pytest.mark.parametrize(
    ("pointer", "shown"),
    [
        ("", ""),
        ("/messages/0/content", "/messages/0/content"),
        ("/choices/1/message/tool_calls/0/function/arguments", "/choices/1/message/tool_calls/0/function/arguments"),
        ("/messages/0/content/2/text", "/messages/0/content/2/text"),
        ("/messages/0/aside", "/messages/0/aside"),
        ("#unescaped", "#unescaped"),
        ("/metadata/bob", "/metadata/~7a8c9d31"),
        ("/metadata", "/metadata"),
        ("/metadata/a/3/b", "/metadata/~{}/3/~{}"),
        ("/tools/0/function/parameters/properties/bob", "/tools/0/function/parameters/~{}/~{}"),
        ("/metadata/4155550132", "/metadata/~{}"),
        ("/4111111111111111", "/~{}"),
        ("/metadata/٤٥٦", "/metadata/~{}"),
        ("/messages/123456/content", "/messages/123456/content"),
        ("/bob@example.com", "/~{}"),
        ("/Bob", "/~{}"),
        ("/" + "a" * 41, "/~{}"),
    ],
)
def test_names_in_a_pointer_that_may_be_words_are_marked(pointer: str, shown: str) -> None:
    place = Marker(KEY).place(pointer)
    assert re.fullmatch(re.sub(r"~(\{\}|[0-9a-f]{8})", "~[0-9a-f]{8}", shown), place)


def test_marks_join_under_one_key_only() -> None:
    assert Marker(KEY).mark("a text") == Marker(KEY).mark("a text")
    assert Marker(KEY).mark("a text") != Marker(KEY).mark("another text")
    assert Marker(KEY).mark("a text") != Marker(b"another key 1234").mark("a text")
    assert Marker(None).mark("a text") != Marker(None).mark("a text")
    assert Marker(KEY).joinable
    assert not Marker(None).joinable
