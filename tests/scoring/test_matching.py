from __future__ import annotations

from lockgate.scoring.matching import ANY, SAME, Matched, matched
from lockgate.scoring.spans import Span

KNOWN = {"PERSON", "LOCATION", "EMAIL_ADDRESS"}


def person(start: int, end: int) -> Span:
    return Span(start, end, "PERSON", 1.0)


def place(start: int, end: int) -> Span:
    return Span(start, end, "LOCATION", 1.0)


def test_a_span_is_found_by_one_that_shares_half() -> None:
    counts = matched([([person(0, 10), person(20, 30)], [person(0, 6), person(24, 40)])], KNOWN)
    assert counts["PERSON"] == Matched(right=2, found=1, said=2, true=1)
    assert counts[ANY] == Matched(right=2, found=2, said=2, true=1)


def test_another_label_finds_it_for_any_only() -> None:
    rows = [([person(0, 10)], [place(0, 10)]), ([place(0, 4)], [])]
    counts = matched(rows, KNOWN)
    assert counts["PERSON"] == Matched(right=1, found=0, said=0, true=0)
    assert counts["LOCATION"] == Matched(right=1, found=0, said=1, true=0)
    assert counts[ANY] == Matched(right=2, found=1, said=1, true=1)
    assert counts[SAME] == Matched(right=2, found=0, said=1, true=0)


def test_an_address_may_be_marked_whole_or_in_pieces() -> None:
    known = {"STREET_ADDRESS", "LOCATION"}

    def address(start: int, end: int) -> Span:
        return Span(start, end, "STREET_ADDRESS", 1.0)

    pieces = [address(0, 2), address(3, 20), place(21, 26)]
    counts = matched([(pieces, [address(0, 26)])], known)
    assert counts["STREET_ADDRESS"] == Matched(right=2, found=2, said=1, true=1)
    assert counts["LOCATION"] == Matched(right=1, found=1, said=0, true=0)
    counts = matched([([address(0, 26)], [address(0, 2), address(3, 6), place(21, 26)])], known)
    assert counts["STREET_ADDRESS"] == Matched(right=1, found=0, said=2, true=2)  # too little of it
    counts = matched([([place(0, 26)], [place(0, 9)])], known)
    assert counts["LOCATION"] == Matched(right=1, found=0, said=1, true=0)


def test_what_truth_does_not_know_is_out_of_question() -> None:
    title = Span(10, 15, "TITLE", 1.0)
    mail = Span(30, 40, "EMAIL_ADDRESS", 1.0)
    counts = matched([([person(0, 5), title], [person(0, 5), person(10, 15), mail])], KNOWN)
    assert counts == {ANY: Matched(1, 1, 1, 1), SAME: Matched(1, 1, 1, 1), "PERSON": Matched(1, 1, 1, 1)}
    assert matched([([title], [person(10, 15)])], KNOWN) == {ANY: Matched(), SAME: Matched()}


def test_f2_favours_recall() -> None:
    eager, shy = Matched(right=10, found=9, said=18, true=9), Matched(right=10, found=5, said=5, true=5)
    assert eager.f2 is not None
    assert shy.f2 is not None
    assert eager.f2 > shy.f2
    assert (eager.precision, eager.recall) == (0.5, 0.9)
    assert (Matched().f2, Matched().precision, Matched(right=1).f2) == (None, None, 0.0)


def test_characters_are_counted_once_however_they_are_cut() -> None:
    rows = [([person(0, 10), person(20, 30)], [person(0, 5), person(3, 8), person(28, 40)]), ([], [person(0, 4)])]
    counts = matched(rows, KNOWN)
    for label in ("PERSON", ANY, SAME):
        found = counts[label]
        assert (found.characters, found.given, found.shared) == (20, 24, 10)
        assert found.character_f1 == 20 / 44
    assert matched([([], [])], KNOWN)[ANY].character_f1 is None
