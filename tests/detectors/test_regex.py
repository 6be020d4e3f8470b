from __future__ import annotations

import re

import pytest
import re2
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from lockgate.detectors.automaton import options as engine_options
from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.regex import Prepared, prepare
from lockgate.detectors.rows import compiled_row, spans
from lockgate.errors import PatternError

Spans = list[tuple[int, int]]

# Letters that folding leaves alone, in and beyond ASCII.
ALPHABET = "ab1 -\nж日"
CHARS = st.sampled_from(["a", "b", "1", " ", "-", "ж", "日", "[ab]", "[^a]", "[^ж]", r"\d", r"\w", r"\s", r"\W", "."])
COUNTS = st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "{2,}", "{0,2}", "+?", "*?"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, COUNTS).map(lambda two: f"(?:{two[0]}){two[1]}"),
    )


PATTERNS = st.recursive(CHARS, grown, max_leaves=6)
TEXTS = st.text(ALPHABET, max_size=10)


def prepared(pattern: str, **more: int) -> Prepared:
    """Of a random pattern; those that match nothing at all are no patterns."""
    try:
        return prepare(pattern, max_width=more.get("max_width", 32))
    except PatternError:
        reject()


def compiled(form: str) -> re2._Regexp:
    return re2.compile(form, engine_options(8 << 20))


def ours(pattern: str, text: str) -> Spans:
    row = compiled_row(0, PatternSpec("X", pattern, max_width=32))
    return [(first, last) for _, _, first, last in spans(row, text, text.encode(), 0) if first != last]


def theirs(pattern: str, text: str) -> Spans:
    """Leftmost-longest matches that do not overlap, by Python's engine."""
    found: Spans = []
    start = 0
    while start < len(text):
        for end in range(len(text), start, -1):
            if re.fullmatch(f"(?s:.{{{start}}})(?:{pattern})(?s:.{{{len(text) - end}}})", text):
                found.append((start, end))
                start = end - 1
                break
        start += 1
    return found


@given(PATTERNS, TEXTS)
@settings(max_examples=200)
def test_the_full_form_is_the_pattern(pattern: str, text: str) -> None:
    prepared(pattern)
    assert ours(pattern, text) == theirs(pattern, text)


EDGES = st.sampled_from([r"\b(?:{})", r"(?:{})\b", r"\b(?:{})\b", r"(\b(?:{})\b)", r"\b(?:{})\b|\b(?:{})ж\b"])


@given(PATTERNS, EDGES, TEXTS)
@settings(max_examples=300)
def test_boundaries_know_letters_of_all_scripts(pattern: str, edges: str, text: str) -> None:
    whole = edges.replace("{}", pattern)
    prepared(whole)
    assert ours(whole, text) == theirs(whole, text)


@given(st.lists(st.one_of(PATTERNS, st.just(r"\b"), st.just(r"\B")), min_size=2, max_size=5).map("".join), TEXTS)
@settings(max_examples=1500)
def test_a_boundary_inside_is_refused_rather_than_missed(pattern: str, text: str) -> None:
    try:
        prepare(pattern, max_width=32)
    except PatternError:
        return  # refused, as most of them are: nothing is missed
    expected = theirs(pattern, text)
    found = ours(pattern, text)
    for start, end in expected:
        assert any(a < end and start < b for a, b in found)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(?i)secret", "a SeCrEt b", ["SeCrEt"]),
        (r"(?s)a.b", "a\nb", ["a\nb"]),
        (r"a.b", "a\nb", []),
        (r"(?m)^b$", "a\nb\nc", ["b"]),
        (r"\Aab", "ab ab", ["ab"]),
        (r"ab\Z", "ab ab", ["ab"]),
        (r"(?x) a  b # note", "ab", ["ab"]),
        (r"pin: (\d{4})", "pin: 1234", ["1234"]),
        (r"pin: (?P<pin>\d{4})", "pin: 1234", ["1234"]),
        (r"a|ab|abc", "abcd", ["abc"]),
        (r"a??b", "ab", ["ab"]),
        (r"[\w.]+", "a.b_1 ж", ["a.b_1", "ж"]),
        (r"[^\S]x", " x", []),
    ],
)
def test_python_syntax(pattern: str, text: str, found: list[str]) -> None:
    try:
        spans = ours(pattern, text)
    except PatternError:
        spans = []
    assert [text[start:end] for start, end in spans] == found


@given(PATTERNS, TEXTS)
@settings(max_examples=200)
def test_the_loose_form_misses_nothing(pattern: str, text: str) -> None:
    form = prepared(pattern)
    if compiled(form.full).search(text):
        assert compiled(form.loose).search(text)


def alive_from(form: Prepared, text: str) -> int:
    match = compiled(form.live).match(text[::-1])
    return len(text) - (len(match.group().decode()) if isinstance(match.group(), bytes) else len(match.group()))


@given(PATTERNS, st.sampled_from(["{}", r"\b{}", r"{}\b"]), TEXTS)
@settings(max_examples=200)
def test_what_is_still_growing_is_alive(pattern: str, edges: str, text: str) -> None:
    """For each match and each cut through it, or right behind it where a neighbour decides, the live form reaches back
    to the match's start."""
    assume(edges == "{}" or "\\W" not in pattern)
    whole = edges.format(f"(?:{pattern})")
    form = prepared(whole)
    for start, end in ours(whole, text):
        for cut in range(start + 1, end + form.right):
            assert alive_from(form, text[:cut]) <= start, (start, end, cut)


@given(PATTERNS, TEXTS)
def test_the_live_form_of_a_finished_text(pattern: str, text: str) -> None:
    """It never claims more than there is, and nothing of an empty text."""
    form = prepared(pattern)
    assert 0 <= alive_from(form, text) <= len(text)
    assert alive_from(form, "") == 0


@given(PATTERNS, st.integers(1, 12), st.text(ALPHABET, max_size=40))
@settings(max_examples=200)
def test_no_match_is_wider_than_said(pattern: str, max_width: int, text: str) -> None:
    form = prepared(pattern, max_width=max_width)
    assert form.width <= max_width + 1
    for match in compiled(form.full).finditer(text):
        assert len(match.group()) <= form.width


@pytest.mark.parametrize(
    ("pattern", "max_width", "width"),
    [
        ("abc", 256, 3),
        ("a{3,7}", 256, 7),
        ("a|bcd", 256, 3),
        ("a?b", 256, 2),
        ("a+", 256, 257),
        ("a+b", 256, 257),
        (r"\d{3}-\d{2}", 6, 6),
        ("a{5,}", 10, 11),
        ("a+", 1, 2),
        ("(?:ab)+", 6, 6),  # three copies; a fourth would be two characters over
    ],
)
def test_widths(pattern: str, max_width: int, width: int) -> None:
    assert prepare(pattern, max_width=max_width).width == width


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(a)(b)", "2 capturing groups"),
        ("a*", "can match nothing at all"),
        ("a?|b", "can match nothing at all"),
        ("(?:)", "can match nothing at all"),
        (r"\b", "can match nothing at all"),
        ("^$", "can match nothing at all"),
        ("a|", "can match nothing at all"),
        ("\u200b", "can match nothing at all"),
        ("a{257}", "can match 257 characters, more than its max_width of 256"),
        ("a{200}b{0,100}", "can match 300 characters"),
        ("(?:a{20}){20}", "can match 400 characters"),
        ("a(?=b)", "look-around"),
    ],
)
def test_what_can_not_be_run(pattern: str, says: str) -> None:
    with pytest.raises(PatternError) as raised:
        prepare(pattern, max_width=256)
    assert says in str(raised.value)


def test_a_repeat_past_the_engine_s_limit() -> None:
    form = prepare("a{1500,2500}b", max_width=4000)
    regex = compiled(form.full)
    assert regex.fullmatch("a" * 1500 + "b")
    assert regex.fullmatch("a" * 2500 + "b")
    assert not regex.fullmatch("a" * 1499 + "b")
    assert not regex.fullmatch("a" * 2501 + "b")
