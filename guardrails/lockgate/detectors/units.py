"""What a model reads at once: sentences, with as much as fits of what stands before them.

Units depend on the text up to their end alone, so those of a stream are those of the whole. `each` gives one for every
sentence window, which is what a stream can be judged by; `covering` gives the fewest that show every sentence with
company, for texts that are there whole.
"""

from __future__ import annotations

from typing import NamedTuple

from lockgate.windows import windows

LONGEST = 480
"""Characters of a unit: about a hundred tokens of English. More than a sentence window may have."""

_SHARED = 160  # characters that neighbours of a covering share, at most


class Unit(NamedTuple):
    """text[start:end] is read; what is found there is said of text[own:end]."""

    start: int
    own: int
    end: int


def each(text: str) -> list[Unit]:
    """One for each sentence window, beginning with the earliest window with which it is no longer than `LONGEST`."""
    found: list[Unit] = []
    spans = windows(text)
    first = 0
    for start, end in spans:
        while end - spans[first][0] > LONGEST and spans[first][0] < start:
            first += 1
        found.append(Unit(spans[first][0], start, end))
    return found


def covering(text: str) -> list[Unit]:
    """Units that hold every sentence window, each as long as may be; neighbours share some windows. What is shared is
    the earlier one's own."""
    spans = windows(text)
    found: list[Unit] = []
    at = own = 0
    while own < len(spans):
        last = own
        while last + 1 < len(spans) and spans[last + 1][1] - spans[at][0] <= LONGEST:
            last += 1
        found.append(Unit(spans[at][0], spans[own][0], spans[last][1]))
        own = at = last + 1
        if own < len(spans):
            while (
                at > 0 and spans[last][1] - spans[at - 1][0] <= _SHARED and spans[own][1] - spans[at - 1][0] <= LONGEST
            ):
                at -= 1
    return found


def sentences(text: str, unit: Unit) -> list[Unit]:
    """A unit's own sentence windows, each alone; none where that is the unit itself."""
    found = [Unit(unit.own + a, unit.own + a, unit.own + b) for a, b in windows(text[unit.own : unit.end])]
    return [one for one in found if one.start != unit.start or one.end != unit.end]
