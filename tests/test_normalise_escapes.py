r"""JSON's escapes, read: ``\u0061`` is an "a", wherever it stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.normalise import Folded, Unescaped, begun, fold, last_visible, plain

ESCAPED = st.lists(
    st.sampled_from(
        ["a", "\\", "\\\\", "\\u0061", "\\\\u0061", "\\ud83d", "\\ude00", "\\uD83D\\uDE00", "\\u200b", "\\u00e9", "\\/", "u", "0061", "é", "\u200b", "ﬁ", "\\n"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (r"\u0061nna", "anna"),
        (r"\u0041\u004B\u0049\u0041", "AKIA"),
        (r"\\u0061 \\\\u0062 \\\\\\\\u0063", "a b c"),  # JSON within JSON
        (r"https:\/\/example.com\\/x", "https://example.com/x"),
        (r"\ud83d\ude00 \\uD83D\\uDE00", "😀 😀"),
        (r"\ud83d \ude00", "\ud83d \ude00"),
        (r"\ud83d\ud83d\ude00", "\ud83d😀"),
        (r"\u00e9t\u00E9", "été"),
        (r"\u006 \u \x61 C:\users \nanna \"", r"\u006 \u \x61 C:\users \nanna \""),
        ("\\" * 12 + "u0061", "\\" * 4 + "a"),
    ],
)
def test_what_is_read(text: str, read: str) -> None:
    assert Unescaped(text).text == read
    assert Folded(text).text == fold(read)


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_what_json_writes_is_read_as_it_was(text: str) -> None:
    escaped = "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else json.dumps(char)[1:-1] for char in text)
    assert Unescaped(escaped).text == text


@given(ESCAPED)
def test_offsets_lead_back(text: str) -> None:
    unescaped, folded = Unescaped(text), Folded(text)
    covered = 0
    for i in range(len(unescaped.text)):
        low, high = unescaped.original(i), unescaped.original_end(i + 1)
        assert low == covered, "each character is written right behind the one before"
        assert Unescaped(text[low:high]).text == unescaped.text[i]
        covered = high
    assert covered == len(text)
    for view in (unescaped, folded):
        assert view.original(len(view.text)) == len(text)
        for i in range(len(view.text)):
            assert view.original(i) < view.original_end(i + 1) <= len(text)
            assert view.folded(view.original(i)) <= i < view.folded(view.original_end(i + 1))


@given(ESCAPED)
def test_plain_is_what_folding_leaves_alone(text: str) -> None:
    encoded = plain(text)
    if encoded is not None:
        assert encoded == text.encode()
        assert Folded(text).text == text


@given(ESCAPED, ESCAPED)
def test_what_has_begun_is_not_read_before_it_ends(first: str, second: str) -> None:
    """Up to there, more text changes nothing about what is read."""
    at = begun(first)
    assert Unescaped(first[:at]).text + Unescaped(first[at:] + second).text == Unescaped(first + second).text


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("plain", 5), ("", 0), ("x\\", 1), (r"x\u", 1), (r"x\u006", 1), (r"x\u0061", 7), (r"x\\\u0", 1), (r"x\n", 3), (r"x\/", 3),
        (r"x\ud83d", 1), (r"x\ud83d\ud", 1), (r"x\ud83d\u0", 7), (r"x\ud83d\ude00", 13), ("\\" * 12, 4),
    ],
)  # fmt: skip
def test_where_an_escape_has_begun(text: str, at: int) -> None:
    assert begun(text) == at


@pytest.mark.parametrize(
    ("text", "context"),
    [
        (r"ab\u0061", r"\u0061"),
        (r"ab\u200b", r"b\u200b"),
        (r"a\u0062\u200b\u200c", r"\u0062\u200c"),
        ("a\\u0062\u200b\u200c", "\\u0062\u200c"),
        (r"\ud83d\ude00", r"\ud83d\ude00"),
        (r"\u200b\u200c", r"\u200c"),
        (r"a\/", r"\/"),
        (r"a\n", "n"),
        ("a\\", "\\"),
    ],
)
def test_an_escape_counts_as_one_character_of_context(text: str, context: str) -> None:
    assert last_visible(text) == context
