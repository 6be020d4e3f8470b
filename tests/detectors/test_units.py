"""Units are windows with company; those of a stream are those of the whole."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lockgate.detectors.units import LONGEST, Unit, covering, each, sentences
from lockgate.tail import Windows
from lockgate.windows import windows

TEXTS = st.text(alphabet="ab. \n!é。", max_size=1500)


@given(TEXTS)
def test_each_window_has_a_unit_that_begins_at_a_window(text: str) -> None:
    spans = windows(text)
    units = each(text)
    assert [(unit.own, unit.end) for unit in units] == spans
    starts = {start for start, _ in spans}
    for unit in units:
        assert unit.start in starts
        assert unit.end - unit.start <= LONGEST


@given(TEXTS)
def test_covering_units_own_every_character_once(text: str) -> None:
    units = covering(text)
    assert "".join(text[unit.own : unit.end] for unit in units) == text
    assert all(unit.start <= unit.own < unit.end <= unit.start + LONGEST for unit in units)


@given(TEXTS, st.lists(st.integers(1, 40), max_size=60))
def test_a_stream_is_read_as_the_whole(text: str, cuts: list[int]) -> None:
    stream, found, at = Windows(), list[tuple[int, str, str]](), 0
    for cut in cuts:
        stream.feed(text[at : at + cut])
        at += cut
        found += stream.cut(final=False)
    stream.feed(text[at:])
    found += stream.cut(final=True)
    assert [(start - len(before), start, start + len(window)) for start, window, before in found] == [
        tuple(unit) for unit in each(text)
    ]


def test_few_units_for_a_text_that_is_there() -> None:
    text = "This sentence has forty characters in it. " * 30
    units = covering(text)
    assert len(units) < len(windows(text)) / 5
    assert all(later.start < earlier.end for earlier, later in pairwise(units))


def test_sentences_are_a_units_own() -> None:
    text = "One here. Two here. Three here."
    assert sentences(text, Unit(0, 10, 31)) == [Unit(10, 10, 20), Unit(20, 20, 31)]
    assert sentences(text, Unit(0, 0, 10)) == []
