from __future__ import annotations

from lockgate.detectors.remembered import Remembered, mark_of


def test_marks_tell_texts_apart_and_nothing_of_them() -> None:
    assert mark_of("a") == mark_of("a") != mark_of("b")
    assert len(mark_of("x" * 10_000)) == 16
    assert mark_of("\ud800") != mark_of("?")


def test_what_is_kept_is_bounded() -> None:
    known = Remembered[int](2)
    for number, text in enumerate("abc"):
        assert mark_of(text) not in known
        assert known.keep(mark_of(text), number) == number
    assert mark_of("a") not in known
    assert (known.get(mark_of("c"), 9), known.get(mark_of("a"), 9)) == (2, 9)
