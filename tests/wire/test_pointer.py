from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.pointer import escape, get, tokens

# The examples of RFC 6901, section 5.
RFC: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_standard(pointer: str, value: object) -> None:
    assert get(RFC, pointer) == value


@pytest.mark.parametrize(
    "pointer", ["/nothing", "/foo/2", "/foo/-1", "/foo/-", "/foo/x", "/foo/0/0", "//x", "/foo/٠", "/foo/00"]
)
def test_a_pointer_that_leads_nowhere(pointer: str) -> None:
    with pytest.raises(KeyError):
        get(RFC, pointer)


@pytest.mark.parametrize("pointer", ["foo", "0", " /foo"])
def test_what_is_no_pointer(pointer: str) -> None:
    with pytest.raises(ValueError, match="not a JSON pointer"):
        tokens(pointer)


@given(st.lists(st.text(st.characters(codec=None), max_size=6)))
def test_tokens_come_back(path: list[str]) -> None:
    assert tokens("".join(f"/{escape(token)}" for token in path)) == path


@given(st.text(), st.text())
def test_escaping_order(left: str, right: str) -> None:
    token = f"{left}~1{right}"
    assert get({token: 1}, f"/{escape(token)}") == 1
