from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.normalise import _LOOK_ALIKES, Folded, fold, last_visible

# Whatever may stand in a JSON string: every code point, halves of surrogate pairs too.
ANY = st.text(st.characters(codec=None), max_size=40)
NASTY = st.lists(
    st.sampled_from(
        ["a", "é", "e\u0301", "\u200b", "\u00ad", "ﬁ", "㎏", "\ufe0f", "\U000e0041", "\ud800", "ß", "①", "х"]
    ),
    max_size=12,
).map("".join)
TEXTS = st.one_of(ANY, NASTY)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("plain Text 1,2", "plain Text 1,2"),
        ("ｆｕｌｌ－Ｗｉｄｔｈ　１２", "full-Width 12"),
        ("𝒮𝓮𝓬𝓇𝑒𝓉 𝟙𝟮𝟯", "Secret 123"),
        ("𝔰𝔢𝔠𝔯𝔢𝔱 𝚜𝚎𝚌𝚛𝚎𝚝", "secret secret"),
        ("ⓢⓔⓒⓡⓔⓣ", "secret"),
        ("🅂🄴🄲🅁🄴🅃 🅰🅱 🇸🇪", "SECRET AB SE"),
        ("ˢᵉᶜʳᵉᵗ x² H₂O", "secret x2 H2O"),
        ("ﬁle oﬀice ﬃ", "file office ffi"),
        ("Ⅷ ½ №", "VIII 1/2 No"),
        # Letters of other scripts.
        ("ѕесrеt рассwоrd", "secret paccword"),
        ("АКІА АКΙА", "AKIA AKIA"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
        ("АВЕКМНОРСТУХ", "ABEKMHOPCTYX"),
        ("αοкο ѕ", "aoko s"),
        ("ԁоɡ", "dog"),
        # Accents, in one character and in two.
        ("café naïve Ångström", "cafe naive Angstrom"),
        ("cafe\u0301 s\u0335e\u0336c\u20dd", "cafe sec"),
        ("z\u0300\u0301\u0302\u0303algo", "zalgo"),
        ("ёлка", "eлka"),
        # What can't be seen.
        ("se\u200bc\u200cr\u200de\u2060t\ufeff", "secret"),
        ("so\u00adft", "soft"),
        ("\u202eterces\u202c \u2066x\u2069\u200f\u061c", "terces x"),
        ("\U000e0073\U000e0065k\U000e007f", "k"),
        ("a\ufe0fb\U000e0100c\u180bd", "abcd"),
        ("a\u034f\u115f\u3164\uffa0\u17b4b", "ab"),
        ("a\u2065\ufff0\ufff8b", "ab"),
        ("a\x00\x1b\x7f\x80\x9fb", "ab"),
        # Spaces and lines.
        ("a\u00a0b\u2003c\u3000d\u202fe", "a b c d e"),
        ("a\u2028b\u2029c\x85d", "a\nb\nc\nd"),
        ("\t\n\r\v\f", "\t\n\r\v\f"),
        # Digits.
        ("٠١٢٣ ۴۵ ०१ ๙", "0123 45 01 9"),
        ("𝟘𝟡 ⑨", "09 9"),
        # Punctuation.
        ("“a” ‘b’ „c“", '"a" \'b\' "c"'),
        ("a–b—c−d‐e", "a-b-c-d-e"),
        ("a․b。c", "a.b.c"),
        ("bob＠example．com", "bob@example.com"),
        # Case stays, and so do the letters that look like nothing in ASCII.
        ("Straße", "Straße"),
        ("日本語 עברית", "日本語 עברית"),
        ("\ud83d", "\ufffd"),
        ("\ude00x\ud83d", "\ufffdx\ufffd"),
        ("😀", "😀"),
        ("", ""),
    ],
)
def test_folds(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert Folded(text).text == folded


def test_look_alikes_keep_their_case_and_stand_in_one_row() -> None:
    rows: dict[str, str] = {}
    for line in _LOOK_ALIKES.strip().splitlines():
        plain, others = line.split(" ", 1)
        for other in others:
            assert rows.setdefault(other, plain) == plain or not plain.isalpha(), unicodedata.name(other)
            if plain.isalpha() and unicodedata.name(other).startswith(("GREEK CAPITAL", "GREEK SMALL")):
                assert other.isupper() == plain.isupper(), unicodedata.name(other)


@pytest.mark.parametrize("plain", [line[0] for line in _LOOK_ALIKES.strip().splitlines() if line[0].isalpha()])
def test_each_look_alike_folds_to_its_letter(plain: str) -> None:
    row = next(line for line in _LOOK_ALIKES.strip().splitlines() if line[0] == plain)
    assert {fold(other) for other in row[2:]} == {plain}


@given(TEXTS, TEXTS)
def test_folding_does_not_depend_on_cuts(left: str, right: str) -> None:
    assert fold(left + right) == fold(left) + fold(right)


@given(TEXTS)
def test_folding_twice_is_folding_once_for_ascii(text: str) -> None:
    ascii_part = "".join(char for char in fold(text) if char.isascii())
    assert fold(ascii_part) == ascii_part


@given(TEXTS, st.data())
def test_the_way_back_covers_exactly_the_source(text: str, data: st.DataObject) -> None:
    view = Folded(text)
    low = data.draw(st.integers(0, len(view.text)))
    high = data.draw(st.integers(low, len(view.text)))
    start, end = view.original(low), view.original_end(high)
    if low == high:
        return
    assert 0 <= start < end <= len(text)
    # The source folds to the stretch, and not without its first or its last character.
    assert view.text[low:high] in fold(text[start:end])
    assert fold(text[start]) != ""
    assert fold(text[end - 1]) != ""
    assert len(fold(text[: start + 1])) > low
    assert len(fold(text[: end - 1])) < high


@given(TEXTS, st.data())
def test_offsets_forth_and_back(text: str, data: st.DataObject) -> None:
    view = Folded(text)
    offset = data.draw(st.integers(0, len(text)))
    assert view.folded(offset) == len(fold(text[:offset]))
    assert view.original(len(view.text)) == len(text)
    assert view.original_end(0) == 0


@pytest.mark.parametrize(
    ("text", "folded", "span"),
    [
        ("abc", (1, 2), (1, 2)),
        ("xﬁx", (1, 2), (1, 2)),  # half of a ligature is the whole of it
        ("xﬁx", (2, 3), (1, 2)),
        ("a\u200bb", (0, 2), (0, 3)),
        ("a\u200bb", (1, 2), (2, 3)),
        ("\u200ba", (0, 1), (1, 2)),
        ("e\u0301x", (1, 2), (2, 3)),
        ("\u200b\u200b", (0, 0), (2, 0)),
    ],
)
def test_spans_of_the_original(text: str, folded: tuple[int, int], span: tuple[int, int]) -> None:
    view = Folded(text)
    assert (view.original(folded[0]), view.original_end(folded[1])) == span


@given(TEXTS)
def test_the_last_visible_character_is_context_enough(text: str) -> None:
    context = last_visible(text)
    assert text.endswith(context[-1:])
    assert fold(context)[-1:] == fold(text)[-1:]
    assert len(context) <= 2
