"""Sentence windows, whose borders depend on the text alone.

A border stands behind a line feed, behind the white space that follows a sentence's end, behind an ideographic full
stop, or, where none of these comes, after at most `MAX_WINDOW` characters (at the last space there). How a stream was
cut into chunks plays no part: the windows of the whole are the windows of the stream.
"""

from __future__ import annotations

import re

MAX_WINDOW = 400
"""Most characters in a window."""

# The ideographic full stop ends a sentence by itself: what comes behind it must not move a border already given.
_END = re.compile(r"""[.!?\u2026]["'\u201d\u2019\u00bb)\]]{0,4}\s|\n|[\u3002\uff01\uff1f]""")


def borders(text: str, start: int = 0, *, final: bool) -> list[int]:
    """The ends of the windows of text[start:], each a window [previous end, end). Without `final`, only those that no
    further text can move."""
    ends: list[int] = []
    position = start
    length = len(text)
    while position < length:
        found = _END.search(text, position, position + MAX_WINDOW)
        if found is not None:
            position = found.end()
        elif length - position > MAX_WINDOW:
            space = text.rfind(" ", position + 1, position + MAX_WINDOW)
            position = space + 1 if space > 0 else position + MAX_WINDOW
        elif final:
            position = length
        else:
            break
        ends.append(position)
    return ends


def windows(text: str) -> list[tuple[int, int]]:
    """(start, end) of every window of a whole text, in code points."""
    ends = borders(text, final=True)
    return list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []
