"""One pattern row, compiled: its matches in a text, their findings, and what its check says of them.

Matches of a row are leftmost-longest and do not overlap; a candidate that the check rejects is passed over whole. What
is between word boundaries in the pattern is so in the text, in any script.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from lockgate.detectors import automaton
from lockgate.detectors.automaton import Find, Pattern
from lockgate.detectors.automaton import Spans as Found
from lockgate.detectors.boundaries import Boundaries, is_boundary, is_word
from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.regex import Prepared, prepare
from lockgate.detectors.regex_tree import Spelling
from lockgate.errors import PatternError

_ROW_MEMORY = 8 << 20
_WIDE = 300  # a wider row counts so far that finding where it begins costs its automaton tens of megabytes
_WIDE_MEMORY = 32 << 20


@lru_cache(maxsize=1024)
def _compiled(pattern: str, memory: int) -> Pattern:
    """Rows that differ in their checks only share their pattern."""
    return Pattern(pattern, memory)


@dataclass(slots=True)
class Row:
    """A row and its forms; what is costly to compile is compiled when it is first needed."""

    index: int
    spec: PatternSpec
    form: Prepared
    compiled: Pattern | None = field(default=None, repr=False)
    begins: Find | None = field(default=None, repr=False)

    @property
    def reach(self) -> int:
        """The most characters of a match, with the one that tells of a cut."""
        return self.spec.max_width + 1 if self.form.open else self.form.width

    def regex(self) -> Pattern:
        """The row's span form, compiled."""
        if self.compiled is None:
            wide = self.form.width > _WIDE and not self.form.open
            pattern = self.form.open or self.form.full
            self.compiled = _compiled(pattern, _WIDE_MEMORY if wide else _ROW_MEMORY)
            if wide:
                self.begins = _compiled(self.form.loose, _ROW_MEMORY).search
            elif self.form.open:
                self.begins = self.compiled.search
        return self.compiled

    def first(self, encoded: bytes, position: int) -> Found | None:
        """The row's first match from byte `position` on, leftmost-longest, no wider than `reach`: its span and its
        groups', in bytes."""
        full = self.compiled or self.regex()
        size = len(encoded)
        if self.begins is None:
            return full.search(encoded, position, size)
        # What begins a match may look far ahead in vain. Each search sees a stretch only, so none costs more than that.
        step = self.reach * (1 if encoded.isascii() else 4)  # bytes
        while position < size:
            stop = min(position + 2 * step, size)
            found = self.begins(encoded, position, stop)
            begin = found[0][0] if found is not None else size
            if stop < size and begin > stop - step:
                position = stop - step  # up to here nothing begins; behind it, the stretch is too short to tell
                continue
            if found is None:
                return None
            match = full.match(encoded, begin, _behind(encoded, begin, self.reach))
            if match is not None:
                return match
            position = begin + 1
        return None

    def matches(self, encoded: bytes, position: int) -> Iterator[Found]:
        """All of them, none overlapping."""
        while (match := self.first(encoded, position)) is not None:
            yield match
            position = match[0][1]


def _behind(encoded: bytes, begin: int, count: int) -> int:
    """The byte behind the `count` characters that begin at byte `begin`."""
    part = encoded[begin : begin + count]
    if part.isascii():
        return begin + len(part)
    part = encoded[begin : begin + 4 * count]
    return begin + len(part.decode("utf-8", "ignore")[:count].encode())


def compiled_row(index: int, spec: PatternSpec, spelling: Spelling | None = None) -> Row:
    """The row, ready; `spelling` is the one in which to look for it. Raises PatternError, naming its label."""
    folded = spec.view == "folded"
    try:
        form = prepare(
            spec.regex,
            max_width=spec.max_width,
            ignore_case=spec.ignore_case,
            folded=folded,
            peeks=spec.validate is not None,
            spelling=spelling,
        )
        row = Row(index, spec, form)
        if not spec.shipped:
            row.regex()
    except PatternError as error:
        raise PatternError(f"{spec.label}: {error.problem}", where=error.where, hint=error.hint) from None
    except automaton.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise PatternError(
            f"{spec.label}: the pattern can't be compiled: {reason}", hint="lower the counts of its repeats"
        ) from None
    return row


def spans(row: Row, text: str, encoded: bytes, begin: int) -> list[tuple[int, int, int, int]]:
    """(match start, match end, finding start, finding end) of a row in `text`, from character `begin` on. A candidate
    that is rejected has an empty finding."""
    found: list[tuple[int, int, int, int]] = []
    plain = len(encoded) == len(text)
    group = 1 if row.form.captures else 0
    position = begin if plain else len(text[:begin].encode("utf-8", "replace"))
    known_bytes, known_chars = 0, 0

    def chars(offset: int) -> int:
        nonlocal known_bytes, known_chars
        if plain:
            return offset
        if offset < known_bytes:
            return len(encoded[:offset].decode("utf-8"))
        known_chars += len(encoded[known_bytes:offset].decode("utf-8"))
        known_bytes = offset
        return known_chars

    bounded = row.form.left or row.form.right
    for match in _bounded(row, text, encoded, position) if bounded else row.matches(encoded, position):
        low, high = match[0]
        first, last = match[group]
        low, first, last, high = chars(low), chars(first), chars(last), chars(high)
        if first < 0 or (row.form.apart is not None and not _apart(row.form.apart, text, low, high)):
            found.append((low, high, low, low))
            continue
        if row.spec.validate is None:
            found.append((low, high, first, last))
            continue
        accepted = row.spec.validate(text, first, last)
        found.extend((low, high, a, b) for a, b in accepted)
        if not accepted:
            found.append((low, high, low, low))
    return found


def _apart(sides: tuple[bool, bool], text: str, low: int, high: int) -> bool:
    """Whether no word goes on at these sides of a match, which has a letter in it."""
    before, behind = text[max(low - 1, 0) : low], text[high : high + 1]
    if (sides[0] and is_word(before)) or (sides[1] and is_word(behind)):
        return False
    return any(map(str.isalpha, text[low:high]))


def _bounded(row: Row, text: str, encoded: bytes, position: int) -> Iterator[Found]:
    """Matches of a row that begins or ends with a word boundary: of any script, which RE2 does not know. Where the
    longest match from a place does not end at one, the longest that does is the match."""
    boundaries: Boundaries | None = None
    while (match := row.first(encoded, position)) is not None:
        begin, end = match[0]
        left = not row.form.left or is_boundary(encoded, begin)
        if left and (not row.form.right or is_boundary(encoded, end)):
            yield match
            position = end
            continue
        if boundaries is None:
            boundaries = Boundaries(text, encoded)
        if not left:
            position = boundaries.behind(begin)
        else:
            shorter = _shortened(row, encoded, match, boundaries)
            if shorter is not None:
                yield shorter
                position = shorter[0][1]
            else:
                # What begins further right ends at a boundary, too: no earlier than the next one, less a width.
                following = boundaries.behind(begin)
                position = max(begin + 1, following - 4 * row.reach) if following >= 0 else -1
        if position < 0:
            return


def _shortened(row: Row, encoded: bytes, match: Found, boundaries: Boundaries) -> Found | None:
    shorter: Found | None = match
    while shorter is not None and not is_boundary(encoded, shorter[0][1]):
        begin, end = shorter[0]
        stop = boundaries.before(end)
        shorter = row.regex().match(encoded, begin, stop) if stop > begin else None
    return shorter
