"""Where places of a text stand once it has been edited. For citations, which point into their text by offsets."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.verdict import Edit


def shifted(offset: int, edits: Sequence[Edit]) -> int:
    """Where `offset` of the original text stands in the edited one. Inside an edit: its end. `edits` are the united
    edits of this text."""
    moved = offset
    for edit in edits:
        start, end = edit.span
        if end <= offset:
            moved += len(edit.replacement) - (end - start)
        elif start < offset:
            moved += len(edit.replacement) - (offset - start)
    return moved


def cited(start: int, end: int, edits: Sequence[Edit]) -> tuple[int, int] | None:
    """Where the range [start, end) stands once `edits` are made. None: its own text was edited, so that what it cites
    stands nowhere; the citation is dropped. A range that is none (its end before its start) is dropped as well."""
    if end < start or any(edit.span[0] < end and start < edit.span[1] for edit in edits):
        return None
    return shifted(start, edits), shifted(end, edits)
