from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockgate.windows import MAX_WINDOW, borders, windows

PIECES = st.sampled_from(
    [
        "a", "word ", ". ", ".", "!", "?", "…", '."', "!) ", ".''''' ", "\n", "。", "！", "？", "。 ", "。” ", " ", "\t",
        "\u00a0", "x" * 399, "y" * 400, "z" * 401, "long words " * 40, "3.5", "e.g. ",
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("one", ["one"]),
        ("One. Two! Three? Four… Five", ["One. ", "Two! ", "Three? ", "Four… ", "Five"]),
        ("Version 1.2.3 is out", ["Version 1.2.3 is out"]),
        ('He said "no." Then left.', ['He said "no." ', "Then left."]),
        ("(All of it.)\nNext", ["(All of it.)\n", "Next"]),
        ("a\n\nb", ["a\n", "\n", "b"]),
        ("これは。それは！なに？", ["これは。", "それは！", "なに？"]),
        ("これは。 それは", ["これは。", " それは"]),
        ("end.\tnext", ["end.\t", "next"]),
        ("end.", ["end."]),
        ("x" * 900, ["x" * 400, "x" * 400, "x" * 100]),
        ("a" * 300 + " " + "b" * 300, ["a" * 300 + " ", "b" * 300]),
        ("a" * 400, ["a" * 400]),
    ],
)
def test_borders_of_texts(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in windows(text)] == parts


@given(TEXTS)
def test_windows_cover_the_text_without_overlap(text: str) -> None:
    found = windows(text)
    assert "".join(text[start:end] for start, end in found) == text
    assert all(0 < end - start <= MAX_WINDOW for start, end in found)


@given(TEXTS, st.data())
@example("。 x", None)
@example("！” x", None)
def test_no_later_text_moves_a_border(text: str, data: st.DataObject | None) -> None:
    whole = borders(text, final=True)
    for cut in range(len(text) + 1) if data is None else [data.draw(st.integers(0, len(text)))]:
        early = borders(text[:cut], final=False)
        assert early == whole[: len(early)]


@given(TEXTS)
def test_borders_go_on_from_any_border(text: str) -> None:
    whole = borders(text, final=True)
    for i, start in enumerate(whole):
        assert borders(text, start, final=True) == whole[i + 1 :]
        assert [start + end for end in borders(text[start:], final=True)] == whole[i + 1 :]


@given(TEXTS)
def test_little_stays_undecided(text: str) -> None:
    early = borders(text, final=False)
    assert len(text) - (early[-1] if early else 0) <= MAX_WINDOW
