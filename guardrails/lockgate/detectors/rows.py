"""One pattern row, compiled: its matches in a text, their findings, and what its check says of them.

Matches of a row are leftmost-longest and do not overlap; a candidate that the check rejects is passed over whole. What
is between word boundaries in the pattern is so in the text, in any script.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import re2

from lockgate.detectors.boundaries import Boundaries, is_boundary
from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.regex import Prepared, prepare
from lockgate.errors import PatternError

_ROW_MEMORY = 8 << 20
_WIDE = 300  # a wider row counts so far that finding where it begins costs its automaton tens of megabytes
_WIDE_MEMORY = 32 << 20


def engine_options(memory: int) -> re2.Options:
    """RE2's options for all that we compile; `memory` in bytes."""
    options = re2.Options()
    options.longest_match = True
    options.log_errors = False
    options.max_mem = memory
    return options


@dataclass(slots=True)
class Row:
    """A row and its forms; what is costly to compile is compiled when it is first needed."""

    index: int
    spec: PatternSpec
    form: Prepared
    compiled: re2._Regexp | None = field(default=None, repr=False)
    begins: re2._Regexp | None = field(default=None, repr=False)

    @property
    def reach(self) -> int:
        """The most characters of a match, with the one that tells of a cut."""
        return self.spec.max_width + 1 if self.form.open else self.form.width

    def regex(self) -> re2._Regexp:
        """The row's span form, compiled."""
        if self.compiled is None:
            wide = self.form.width > _WIDE and not self.form.open
            pattern = self.form.open or self.form.full
            self.compiled = re2.compile(pattern, engine_options(_WIDE_MEMORY if wide else _ROW_MEMORY))
            if wide:
                self.begins = re2.compile(self.form.loose, engine_options(_ROW_MEMORY))
            elif self.form.open:
                self.begins = self.compiled
        return self.compiled

    def matches(self, encoded: bytes, position: int) -> Iterator[re2._Match]:
        """The row's matches from byte `position` on, no wider than `reach`, leftmost-longest, none overlapping."""
        full = self.regex()
        if self.begins is None:
            yield from full.finditer(encoded, position)
            return
        # What begins a match may look far ahead in vain. Each search sees a stretch only, so none costs more than that.
        size = len(encoded)
        step = self.reach * (1 if encoded.isascii() else 4)  # bytes
        while position < size:
            stop = min(position + 2 * step, size)
            found = self.begins.search(encoded, position, stop)
            begin = found.start() if found is not None else size
            if stop < size and begin > stop - step:
                position = stop - step  # up to here nothing begins; behind it, the stretch is too short to tell
                continue
            if found is None:
                return
            match = full.match(encoded, begin, _behind(encoded, begin, self.reach))
            if match is not None:
                yield match
            position = begin + 1 if match is None else match.end()


def _behind(encoded: bytes, begin: int, count: int) -> int:
    """The byte behind the `count` characters that begin at byte `begin`."""
    part = encoded[begin : begin + count]
    if part.isascii():
        return begin + len(part)
    part = encoded[begin : begin + 4 * count]
    return begin + len(part.decode("utf-8", "ignore")[:count].encode())


def compiled_row(index: int, spec: PatternSpec) -> Row:
    """The row, ready. Raises PatternError, naming its label."""
    folded = spec.view == "folded"
    try:
        form = prepare(
            spec.regex,
            max_width=spec.max_width,
            ignore_case=spec.ignore_case,
            folded=folded,
            peeks=spec.validate is not None,
        )
        row = Row(index, spec, form)
        if not spec.shipped:
            row.regex()
    except PatternError as error:
        raise PatternError(f"{spec.label}: {error.problem}", where=error.where, hint=error.hint) from None
    except re2.error as error:
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
        low, high = match.span()
        first, last = match.span(group) if group else (low, high)
        low, first, last, high = chars(low), chars(first), chars(last), chars(high)
        if first < 0:
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


def _bounded(row: Row, text: str, encoded: bytes, position: int) -> Iterator[re2._Match]:
    """Matches of a row that begins or ends with a word boundary: of any script, which RE2 does not know. Where the
    longest match from a place does not end at one, the longest that does is the match."""
    boundaries: Boundaries | None = None
    while (match := next(row.matches(encoded, position), None)) is not None:
        begin = match.start()
        left = not row.form.left or is_boundary(encoded, begin)
        if left and (not row.form.right or is_boundary(encoded, match.end())):
            yield match
            position = match.end()
            continue
        if boundaries is None:
            boundaries = Boundaries(text, encoded)
        if not left:
            position = boundaries.behind(begin)
        else:
            match = _shortened(row, encoded, match, boundaries)
            if match is not None:
                yield match
                position = match.end()
            else:
                # What begins further right ends at a boundary, too: no earlier than the next one, less a width.
                following = boundaries.behind(begin)
                position = max(begin + 1, following - 4 * row.reach) if following >= 0 else -1
        if position < 0:
            return


def _shortened(row: Row, encoded: bytes, match: re2._Match, boundaries: Boundaries) -> re2._Match | None:
    shorter: re2._Match | None = match
    while shorter is not None and not is_boundary(encoded, shorter.end()):
        stop = boundaries.before(shorter.end())
        shorter = row.regex().match(encoded, match.start(), stop) if stop > match.start() else None
    return shorter
