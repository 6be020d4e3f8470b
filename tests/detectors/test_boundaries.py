from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.detectors.boundaries import Boundaries, is_boundary

TEXTS = st.text(st.one_of(st.sampled_from("ab_1 -.жé日😀\u0301\n"), st.characters(codec="utf-8")), max_size=12)


def offsets(text: str) -> list[int]:
    """Byte offsets of the boundaries, by Python's engine."""
    return [len(text[: match.start()].encode()) for match in re.finditer(r"\b", text)]


def offsets_of_characters(text: str) -> list[int]:
    return [len(text[:i].encode()) for i in range(len(text) + 1)]


@given(TEXTS)
def test_boundaries_are_those_of_python(text: str) -> None:
    encoded = text.encode()
    found = offsets(text)
    assert [place for place in offsets_of_characters(text) if is_boundary(encoded, place)] == found


@given(TEXTS)
def test_the_nearest_ones(text: str) -> None:
    boundaries = Boundaries(text, text.encode())
    found = offsets(text)
    for place in range(len(text.encode()) + 2):
        assert boundaries.before(place) == max((at for at in found if at < place), default=-1)
        assert boundaries.behind(place) == min((at for at in found if at > place), default=-1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a", [0, 1]),
        (" ", []),
        ("ab cd", [0, 2, 3, 5]),
        ("жук", [0, 6]),
        ("a-ж", [0, 1, 2, 4]),
        ("a_1", [0, 3]),
        ("日 ½", [0, 3, 4, 6]),
        ("e\u0301x", [0, 1, 3, 4]),  # a combining accent is no letter
    ],
)
def test_some_boundaries(text: str, found: list[int]) -> None:
    assert [place for place in offsets_of_characters(text) if is_boundary(text.encode(), place)] == found


def test_half_a_surrogate_pair_is_no_letter() -> None:
    text = "a\ud83db"
    encoded = text.encode("utf-8", "replace")
    assert Boundaries(text, encoded).behind(0) == 1
    assert Boundaries(text, encoded).behind(1) == 2
