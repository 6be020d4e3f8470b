from __future__ import annotations

from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.scanner import Scanner
from lockgate.policy.plan import Sweep
from lockgate.tail import Place, Tail, Windows


def tail() -> Tail:
    return Tail(Sweep(Scanner([PatternSpec("AB", r"\bab{1,3}\b")]), ((),)))


def test_what_is_finished_is_dropped_with_one_character_of_context() -> None:
    one = tail()
    one.pending = "x ab y a"
    matches, shift, cut = one.scan(final=False)
    assert [(match.start + shift, match.end + shift) for match in matches] == [(2, 4)]
    one.drop(cut)
    assert (one.base, one.context, one.pending) == (5, " ", "y a")
    one.pending += "b"
    matches, shift, _ = one.scan(final=True)
    assert [(match.start + shift, match.end + shift) for match in matches] == [(7, 9)]


def test_context_is_the_last_character_that_is_seen() -> None:
    one = tail()
    one.pending = "x\u200b\u200b"
    one.drop(3)
    assert one.context == "x\u200b"
    one.pending = "\u200b"
    one.drop(4)
    assert one.context == "x\u200b"


def test_what_was_told_is_kept_until_the_text_is_done_with() -> None:
    one = tail()
    one.pending, one.released, one.told = "abab", 4, {Place(0, 0, 2)}
    one.drop(2)
    assert one.told
    one.drop(4)
    assert not one.told


def test_another_text_has_nothing_before_it() -> None:
    one = tail()
    one.pending = "xyz"
    one.drop(1)
    one.forget()
    assert (one.base, one.context, one.pending) == (3, "", "")


def test_windows_leave_in_their_order() -> None:
    windows = Windows()
    windows.feed("One. Two. Thr")
    assert windows.cut(final=False) == [(0, "One. ", ""), (5, "Two. ", "One. ")]
    windows.settle(5, 10)
    assert windows.cleared == 0
    windows.settle(0, 5)
    assert windows.cleared == 10
    windows.feed("ee.")
    assert windows.cut(final=True) == [(10, "Three.", "One. Two. ")]


def test_a_window_that_is_given_up_is_torn() -> None:
    windows = Windows()
    windows.feed("One. ")
    assert windows.cut(final=False) == [(0, "One. ", "")]
    assert windows.give_up() == []
    assert not windows.feed("Tw")
    assert windows.give_up() == [(5, "Tw", "One. ")]
    assert windows.feed("o. ")
    assert not windows.feed("Three. ")
    assert windows.cut(final=False) == [(7, "o. ", "One. Tw"), (10, "Three. ", "One. Two. ")]
