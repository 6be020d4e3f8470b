from __future__ import annotations

import re

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from lockgate.detectors.protocol import PatternSpec, Spans
from lockgate.detectors.rows import compiled_row, spans
from lockgate.errors import PatternError

PIECES = ["a", "b", "a*", "b+", "a{2,}", "[ab]", "[^b]", r"\w+", r"\s?", "ж", "(?:a|bb)+", ".*", "b{1,3}"]
PATTERNS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)


def found(spec: PatternSpec, text: str) -> list[tuple[int, int]]:
    row = compiled_row(0, spec)
    return [(first, last) for _, _, first, last in spans(row, text, text.encode(), 0) if first != last]


def expected(pattern: str, text: str, width: int) -> list[tuple[int, int]]:
    """Leftmost-longest matches no wider than `width` and one, by Python's engine."""
    matches: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        for end in range(min(len(text), start + width + 1), start, -1):
            if re.fullmatch(f"(?s:.{{{start}}})(?:{pattern})(?s:.{{{len(text) - end}}})", text):
                matches.append((start, end))
                start = end - 1
                break
        start += 1
    return matches


@given(PATTERNS, st.integers(2, 7), st.text("ab ж", max_size=30))
@settings(max_examples=300)
def test_a_match_may_share_its_width_among_its_repeats_as_it_likes(pattern: str, width: int, text: str) -> None:
    try:
        compiled_row(0, PatternSpec("X", pattern, max_width=width))
    except PatternError:
        reject()
    assert found(PatternSpec("X", pattern, max_width=width), text) == expected(pattern, text, width)


@pytest.mark.parametrize("filler", ["x", "ж", "😀"])
@pytest.mark.parametrize("gap", [0, 1, 7, 8, 9, 15, 16, 17, 40, 200])
def test_a_match_is_found_wherever_it_stands(gap: int, filler: str) -> None:
    """Also where it straddles the stretches in which it is looked for."""
    text = f"{filler * gap}a{filler * 3}b{filler * gap}"
    assert found(PatternSpec("X", "a.*b", max_width=8), text) == [(gap, gap + 5)]
    assert found(PatternSpec("X", "a.*b", max_width=8), f"a{filler * 9}{text}") == [(gap + 10, gap + 15)]


def test_a_start_that_leads_nowhere_does_not_hide_the_next() -> None:
    spec = PatternSpec("X", r"<[^>]*>", max_width=6)
    assert found(spec, "<too long for it <ab> <abcde> <") == [(17, 21), (22, 29)]


class TestChecks:
    def test_a_check_sees_the_finding_and_one_character_on_each_side(self) -> None:
        seen: list[tuple[str, int, int]] = []

        def validate(text: str, start: int, end: int) -> Spans:
            seen.append((text, start, end))
            return ((start, end),)

        assert found(PatternSpec("X", "n=(\\d+)", validate=validate), "n=12 n=3") == [(2, 4), (7, 8)]
        assert seen == [("n=12 n=3", 2, 4), ("n=12 n=3", 7, 8)]

    def test_a_rejected_candidate_is_passed_over_whole(self) -> None:
        def odd(text: str, start: int, end: int) -> Spans:
            return ((start, end),) if (end - start) % 2 else ()

        spec = PatternSpec("X", "a+", validate=odd)
        assert found(spec, "aaaa aaa") == [(5, 8)]
        row = compiled_row(0, spec)
        assert spans(row, "aaaa", b"aaaa", 0) == [(0, 4, 0, 0)]

    def test_a_group_that_took_no_part_is_no_finding(self) -> None:
        assert found(PatternSpec("X", "a|(b)"), "ab") == [(1, 2)]


def test_where_to_begin_counts_characters() -> None:
    row = compiled_row(0, PatternSpec("X", "a"))
    for text in ("aa", "жaa", "😀жa"):
        begin = len(text) - 1
        assert [span[:2] for span in spans(row, text, text.encode(), begin)] == [(begin, begin + 1)]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\w{3,250}\b", "x" * 200_000 + "ж"),
        (r"\b\w{3,250}\b", "x" * 200_000),
        (r"\b\w{3,20}-?\b", "x" * 100_000 + " " + "y" * 100_000),
        (r"a.*b", "a" * 200_000),
        (r"<[^>]*>", "<" * 200_000),
    ],
)
def test_what_ends_nowhere_costs_little(pattern: str, text: str) -> None:
    assert len(found(PatternSpec("X", pattern), text)) <= 2


def test_a_row_that_can_not_be_compiled_is_named() -> None:
    with pytest.raises(PatternError) as raised:
        compiled_row(0, PatternSpec("BAD", r"(?:\w{1,99}-){1,19}", max_width=1900))
    assert raised.value.problem == "BAD: the pattern can't be compiled: invalid repetition size: {1,19}"
    assert raised.value.hint == "lower the counts of its repeats"
    assert compiled_row(0, PatternSpec("LATER", r"(?:\w{1,99}-){1,19}", max_width=1900, shipped=True)).compiled is None
