r"""Word boundaries as Python's ``\b`` knows them: between a letter, digit or underscore of any script, and what is none."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

_EDGE = re.compile(r"\b")


def is_boundary(encoded: bytes, offset: int) -> bool:
    """Whether a boundary stands at byte `offset` of a text in UTF-8."""
    before = encoded[max(offset - 4, 0) : offset].decode("utf-8", "ignore")[-1:]
    behind = encoded[offset : offset + 4].decode("utf-8", "ignore")[:1]
    return is_word(before) != is_word(behind)


def is_word(char: str) -> bool:
    """Whether it is a letter, digit or underscore of any script."""
    return char.isalnum() or char == "_"


class Boundaries:
    """All boundaries of a text, as byte offsets."""

    def __init__(self, text: str, encoded: bytes) -> None:
        places = [match.start() for match in _EDGE.finditer(text)]
        if len(encoded) != len(text):
            done = length = 0
            for i, place in enumerate(places):
                length += len(text[done:place].encode("utf-8", "replace"))
                done, places[i] = place, length
        self._places = places

    def before(self, offset: int) -> int:
        """The last one before `offset`; -1 if there is none."""
        at = bisect_left(self._places, offset)
        return self._places[at - 1] if at else -1

    def behind(self, offset: int) -> int:
        """The first one behind `offset`; -1 if there is none."""
        at = bisect_right(self._places, offset)
        return self._places[at] if at < len(self._places) else -1
