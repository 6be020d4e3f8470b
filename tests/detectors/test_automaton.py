from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from re2 import _re2 as core

from lockgate.detectors import automaton
from lockgate.detectors.automaton import Pattern, pattern_set

MEMORY = 8 << 20
PATTERNS = ["b", "a(b|(c))*", "(?i:X)y?", "é+", "^a", "c$", r"\bc", r"(?s:.)+z"]
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "x", "X", "y", "z", "é", "😀", " ", "\n", "\0"]), max_size=12).map(
    "".join
)


@pytest.fixture(params=["direct", "public"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(automaton, "DIRECT", request.param == "direct")
    return str(request.param)


def test_the_installed_version_is_spoken_to_directly() -> None:
    """Else all answers are right and slow."""
    assert automaton.DIRECT


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=TEXTS, start=st.integers(0, 12), length=st.integers(0, 12))
def test_direct_answers_are_the_public_ones(pattern: str, text: str, start: int, length: int) -> None:
    encoded = text.encode()
    start = min(start, len(encoded))
    stop = min(start + length, len(encoded))
    for direct, public in zip(automaton._direct(pattern, MEMORY), automaton._public(pattern, MEMORY), strict=True):
        assert direct(encoded, start, stop) == public(encoded, start, stop)


@given(text=TEXTS)
def test_direct_sets_answer_as_public_ones(text: str) -> None:
    direct, public = automaton._direct_set(PATTERNS, MEMORY), automaton._public_set(PATTERNS, MEMORY)
    assert sorted(direct(text.encode()) or ()) == sorted(public(text.encode()) or ())


@pytest.mark.usefixtures("kind")
class TestEither:
    def test_the_longest_leftmost_match_within_bounds(self) -> None:
        pattern = Pattern("a(b+)?|(c)", MEMORY)
        assert pattern.search(b"xabbc", 0, 5) == [(1, 4), (2, 4), (-1, -1)]
        assert pattern.search(b"xabbc", 0, 3) == [(1, 3), (2, 3), (-1, -1)]
        assert pattern.search(b"xabbc", 2, 5) == [(4, 5), (-1, -1), (4, 5)]
        assert pattern.search(b"xabbc", 2, 4) is None
        assert pattern.match(b"xabbc", 1, 5) == [(1, 4), (2, 4), (-1, -1)]
        assert pattern.match(b"xabbc", 0, 5) is None

    def test_sets(self) -> None:
        hits = pattern_set(["a", "b+", "c"], MEMORY)
        assert sorted(hits(b"cab") or []) == [0, 1, 2]
        assert list(hits(b"xbx") or []) == [1]
        assert not hits(b"x")

    def test_what_does_not_fit(self) -> None:
        with pytest.raises(automaton.error):
            Pattern("(?:x{900}){900}", MEMORY)
        with pytest.raises(automaton.error):
            pattern_set(["[a-f ]{1,20}[c-x ]{1,20}"] * 9, 1 << 13)


class _Older:
    """Entry points that answer in another way."""

    class RE2(core.RE2):  # type: ignore[misc]
        def Match(self, *_: object) -> list[tuple[int, int]]:  # noqa: N802
            return []


@pytest.mark.parametrize("entry_points", [None, object(), _Older()])
def test_without_the_entry_points_the_public_interface_is_used(
    monkeypatch: pytest.MonkeyPatch, entry_points: object
) -> None:
    monkeypatch.setattr(automaton, "core", entry_points)
    assert not automaton._is_direct()
