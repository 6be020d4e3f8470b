"""Values in pieces: the end of one text of a prompt, and the beginning of the next one of the same speaker.

A key whose halves stand in two parts of a message, or in two messages, stands in neither. So where one text ends in the
middle of a word and the next goes on in one, what stands on both sides is looked at as one text. Only what crosses the
border counts, and where one side says it alone, only what goes on as no word does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lockgate.detectors.scanner import Match, ScanError
from lockgate.exchange import Kind, Segment
from lockgate.policy.plan import SidePlan, Sweep

TAIL = 600
"""Characters on each side of a border."""

_LANES: dict[Kind, str] = {
    "text": "said",
    "document": "said",
    "tool_result": "said",
    "reasoning": "reasoning",
    "tool_call": "tool_call",
}
"""Kinds whose texts follow each other. Names, schemas and addresses are each for themselves."""

_WITHIN = frozenset("@_%+-/=:#$!*~\\")
_MOST_PIECES = 64


class Part(NamedTuple):
    """text[start:] of the joined text is segment.text[offset:], up to the next part."""

    segment: Segment
    start: int
    offset: int


@dataclass(frozen=True, slots=True)
class Join:
    """Texts that may go on in each other. The last part begins at `border`."""

    text: str
    parts: tuple[Part, ...]
    border: int

    @property
    def last(self) -> Segment:
        return self.parts[-1].segment

    def placed(self, start: int, end: int) -> list[tuple[Segment, tuple[int, int]]]:
        """Where text[start:end] stands: segments, each with its own span."""
        found = []
        for i, part in enumerate(self.parts):
            stop = self.parts[i + 1].start if i + 1 < len(self.parts) else len(self.text)
            low = max(start, part.start)
            high = min(end, stop, part.start + len(part.segment.text) - part.offset)
            if low < high:
                shift = part.offset - part.start
                found.append((part.segment, (low + shift, high + shift)))
        return found


def joins(segments: Sequence[Segment]) -> Iterator[Join]:
    """All borders of a prompt at which a value may be cut."""
    if len(segments) < 2:
        return
    lanes: dict[tuple[str, str], list[Part]] = {}
    for segment in segments:
        lane = _LANES.get(segment.kind)
        if lane is None or segment.fixed or not segment.text or segment.text.isspace():
            continue
        key = (segment.role, lane)
        before = lanes.get(key)
        lanes[key] = [Part(segment, 0, max(len(segment.text) - TAIL, 0))]
        if before is None:
            continue
        head = segment.text[:TAIL]
        lead = len(head) - len(head.lstrip())
        ended = before[-1].segment.text
        if not _may_go_on(ended.rstrip()[-1:], head[lead]):
            continue
        left, parts = _left(before)
        yield Join(left + head[lead:], (*parts, Part(segment, len(left), lead)), len(left))
        if left[-1].isdigit() and head[lead].isdigit():
            yield Join(f"{left} {head[lead:]}", (*parts, Part(segment, len(left) + 1, lead)), len(left) + 1)
        if len(segment.text) < TAIL and len(parts) < _MOST_PIECES:
            lanes[key] = _cut([*parts, Part(segment, len(left), lead)], len(left) + len(segment.text) - lead)


def _may_go_on(last: str, first: str) -> bool:
    """Whether a value may go on from a text that ends with `last` in one that begins with `first`."""
    if last == ".":
        return first.islower() or first.isdigit()
    return (last.isalnum() or last in _WITHIN) and (first.isalnum() or first in _WITHIN or first == ".")


def _left(parts: Sequence[Part]) -> tuple[str, list[Part]]:
    """The parts as one text, without white space at borders, and where each stands in it."""
    text = ""
    placed = []
    for part in parts:
        placed.append(part._replace(start=len(text)))
        text += part.segment.text[part.offset :].rstrip()
    return text, placed


def _cut(parts: list[Part], length: int) -> list[Part]:
    """The parts of the last `TAIL` characters."""
    over = length - TAIL
    while len(parts) > 1 and parts[1].start <= over:
        del parts[0]
    return parts


def pieces_of_prompt(side: SidePlan, segments: Sequence[Segment]) -> Iterator[tuple[Segment, Sweep, Match | None]]:
    """The pieces of what crosses a prompt's borders, each in its text; None for what could not be looked at."""
    for join in joins(segments):
        try:
            for sweep, match in crossing(side, join):
                for segment, (start, end) in join.placed(match.start, match.end):
                    yield segment, sweep, Match(match.spec, start, end, match.too_wide)
        except ScanError:
            look = side.look(join.last.role, join.last.kind)
            if look is not None and look.patterns is not None:
                yield join.last, look.patterns, None


def crossing(side: SidePlan, join: Join) -> Iterator[tuple[Sweep, Match]]:
    """What is found across a join's border, in offsets of its text. Raises ScanError."""
    look = side.look(join.last.role, join.last.kind)
    if look is None or look.patterns is None:
        return
    scanner = look.patterns.scanner
    found = [
        match
        for match in scanner.scan(join.text).matches
        if match.start < join.border < match.end and scanner.specs[match.spec].view == "folded"
    ]
    if not found:
        return
    shift = join.border
    alone = scanner.scan(join.text[:shift]).matches
    alone += [
        Match(match.spec, match.start + shift, match.end + shift) for match in scanner.scan(join.text[shift:]).matches
    ]
    for match in found:
        said = [one for one in alone if one.spec == match.spec and one.start < match.end and match.start < one.end]
        if all(_CODE.search(join.text, *_rest(match, one)) for one in said):
            yield look.patterns, match


def goes_on_behind(text: str, border: int, match: Match, alone: Match) -> bool:
    """Whether what a match has more than one in it goes on as no word does. Offsets count from the border in `text`."""
    start, end = _rest(match, alone)
    return _CODE.search(text, start + border, end + border) is not None


_CODE = re.compile(r"[a-z][A-Z]|[A-Za-z][0-9]|[0-9][A-Za-z]")
"""What goes on with a value that could stand alone, and is not the next word."""


def _rest(match: Match, alone: Match) -> tuple[int, int]:
    """The larger part of a match that a match in it leaves."""
    before, behind = alone.start - match.start, match.end - alone.end
    return (match.start, alone.start) if before > behind else (alone.end, match.end)
