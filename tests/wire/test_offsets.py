from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.act import apply, unite
from lockgate.verdict import Edit
from lockgate.wire.offsets import cited, shifted

EDITS = [Edit("/a", (4, 8), "[X]"), Edit("/a", (10, 10), "new "), Edit("/a", (12, 20), "")]


@pytest.mark.parametrize(
    ("offset", "moved"),
    [(0, 0), (4, 4), (5, 7), (8, 7), (9, 8), (10, 13), (12, 15), (15, 15), (20, 15), (25, 20)],
)
def test_an_offset_follows_the_edits(offset: int, moved: int) -> None:
    assert shifted(offset, EDITS) == moved


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 4, (0, 4)),  # before all edits
        (8, 10, (7, 13)),  # what is put in at its end goes with it
        (20, 25, (15, 20)),
        (0, 5, None),  # its own text was edited
        (5, 6, None),
        (7, 9, None),
        (11, 21, None),
        (9, 8, None),  # no range
    ],
)
def test_a_citation_is_shifted_or_dropped(start: int, end: int, expected: tuple[int, int] | None) -> None:
    assert cited(start, end, EDITS) == expected


@given(
    text=st.text(alphabet="abc ", max_size=40),
    spans=st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 8), st.sampled_from(["", "X", "[LONGER]"])), max_size=4
    ),
    start=st.integers(0, 40),
    width=st.integers(1, 12),
)
def test_what_is_still_cited_is_the_same_text(
    text: str, spans: list[tuple[int, int, str]], start: int, width: int
) -> None:
    end = min(start + width, len(text))
    edits = unite(Edit("", (at, at + n), put) for at, n, put in spans if at + n <= len(text))
    place = cited(start, end, edits)
    if place is not None and start < end:
        assert apply(text, edits)[place[0] : place[1]] == text[start:end]
