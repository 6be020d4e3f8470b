from __future__ import annotations

import pytest

from lockgate.shape import shape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("anna@Example.com", "xxxx@Xxxxxxx.xxx"),
        ("4111 1111-1111", "9999 9999-9999"),
        ("Größe ₁² 四", "Xxxxx 99 x"),
        ("a\u200bb\u202e", "x<U+200B>x<U+202E>"),
        ("\U000e0041\U000e0042", "<tag><tag>"),
        ("e\u0301\ufe0f", "x"),
        ("line\nline\x1b[31m", "xxxx<U+000A>xxxx<U+001B>[99x"),
        ("", ""),
    ],
)
def test_nothing_can_be_read_from_it(text: str, shown: str) -> None:
    assert shape(text) == shown


def test_a_long_text_is_cut() -> None:
    assert shape("x" * 41) == "x" * 40 + "…"
    assert shape("abc", 2) == "xx…"
