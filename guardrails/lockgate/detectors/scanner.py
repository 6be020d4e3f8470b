"""One linear-time pass over a text for all pattern rows of a plan.

A set automaton (RE2) says in one pass which rows occur at all; only those are then searched for their spans. What a
scan finds is a function of the text alone, and local: a finding depends on its own characters and on one neighbour on
each side. That is what lets a stream be scanned in pieces (`cut`) with the result of the whole. `rows.py` has the
matches of a single row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import re2

from lockgate.detectors.protocol import PatternSpec
from lockgate.detectors.rows import Row, compiled_row, engine_options, spans
from lockgate.errors import LockgateError, PatternError
from lockgate.normalise import Folded

_MEMORY = 48 << 20  # bytes an automaton over all rows may grow to, whatever texts it meets
_SPACED_WIDTH = 256
_TAGS_WIDTH = 2048


class ScanError(LockgateError):
    """The engine ran out of memory over a text. Never read as "nothing found": the rules' `on_error` decides."""


@dataclass(slots=True)
class Match:
    """Row `spec` matched original[start:end]. `too_wide`: it was cut at the row's `max_width`."""

    spec: int
    start: int
    end: int
    too_wide: bool = False


@dataclass(slots=True)
class Scan:
    """`matches` are final and all of those before `cut`, in order. Nothing that comes after the text can change what
    stands before `cut`, or needs more of it than its last character."""

    matches: list[Match]
    cut: int


def _collapse(text: str) -> tuple[str, list[int]]:
    """Turn "s e c r e t  w o r d" into "secret word": single separators vanish, wider ones become a space."""
    out: list[str] = []
    at: list[int] = []
    gap = 0
    for i, char in enumerate(text):
        if char.isalnum():
            if gap > 1:
                out.append(" ")
                at.append(i - 1)
            out.append(char)
            at.append(i)
            gap = 0
        else:
            gap += 1
    return "".join(out), at


def _untag(text: str) -> tuple[str, list[int]]:
    """Tag characters → the ASCII text that they spell, unseen."""
    return "".join(chr(ord(char) - 0xE0000) for char in text), list(range(len(text)))


VIEWS: tuple[PatternSpec, ...] = (
    PatternSpec(
        "view:spaced",
        r"\b[A-Za-z0-9](?:[ ._*|/\-]{1,3}[A-Za-z0-9]){3,62}\b",
        max_width=_SPACED_WIDTH,
        expand=_collapse,
        shipped=True,
    ),
    PatternSpec(
        "view:tags", "[\U000e0020-\U000e007e]{2,2048}", max_width=_TAGS_WIDTH, view="raw", expand=_untag, shipped=True
    ),
)


class _Pass:
    """The rows of one view: their set, their spans, their unfinished ends."""

    def __init__(self, rows: Sequence[Row], *, streams: bool) -> None:
        self.rows = rows
        self._set = re2.Set.SearchSet(engine_options(_MEMORY))
        for row in rows:
            self._set.Add(row.form.loose)
        # Always matches. When the automaton runs out of memory the set answers with nothing, not even this.
        self._alive = len(rows)
        self._set.Add("(?s:.)")
        self._set.Compile()
        self.reach = max(row.reach for row in rows) + 1
        self._live: re2._Regexp | None = None
        if streams:
            live = "|".join(dict.fromkeys(row.form.live for row in rows))
            self._live = re2.compile(f"(?:{live})", engine_options(_MEMORY))

    def hits(self, encoded: bytes) -> list[int]:
        found: list[int] | None = self._set.Match(encoded)  # None for an empty answer
        if found is None or self._alive not in found:
            raise ScanError("the pattern set ran out of memory")
        found.remove(self._alive)
        return found

    def live(self, text: str) -> int:
        """The offset from which `text` may be the beginning of a match; len(text) if nothing is unfinished."""
        tail = text[: -self.reach - 1 : -1]
        assert self._live is not None, "a scanner that was not made for streams"
        match = self._live.match(tail.encode("utf-8", "replace"))
        if match is None:
            return len(text)
        length: int = match.end()
        if not tail.isascii():
            length = len(tail.encode("utf-8", "replace")[:length].decode("utf-8"))
        return len(text) - length


class Scanner:
    """All rows of a plan, compiled. Immutable, and safe to share between tasks. Without `streams` it scans whole texts
    only, and needs less memory.

    Raises PatternError, naming the row's label, for a pattern that can't be compiled.
    """

    def __init__(self, specs: Sequence[PatternSpec], *, streams: bool = True) -> None:
        self.specs = tuple(specs)
        rows = [compiled_row(i, spec) for i, spec in enumerate((*self.specs, *VIEWS))]
        try:
            self._folded = _Pass([row for row in rows if row.spec.view == "folded"], streams=streams)
            self._raw = _Pass([row for row in rows if row.spec.view == "raw"], streams=streams)
        except re2.error:
            raise PatternError(
                "the patterns together need more memory than the engine may take",
                hint="lower the counts of their repeats, or look for fewer",
            ) from None
        self.width = max(self._folded.reach, self._raw.reach)

    def scan(self, text: str, *, start: int = 0, final: bool = True) -> Scan:
        """Find all rows in text[start:]; what stands before `start` is context only.

        `final` says that the text ends here. If it does not, `cut` is where the finished part ends; it never lies
        inside a match. Raises ScanError.
        """
        found: list[Match] = []
        bounds: list[tuple[int, int]] = []
        folded = Folded(text)
        if folded.text:
            self._look(folded, self._folded, start, found, bounds)
        if not text.isascii():
            self._look(_Raw(text), self._raw, start, found, bounds)
        cut = len(text)
        if not final:
            cut = self._cut(text, folded, start, bounds)
            found = [match for match in found if match.start < cut]
        return Scan(_united(found), cut)

    def _cut(self, text: str, folded: Folded, start: int, bounds: list[tuple[int, int]]) -> int:
        cut = len(text)
        live = self._folded.live(folded.text)
        if live < len(folded.text):
            cut = folded.original(live)
        if not text.isascii():
            cut = min(cut, self._raw.live(text))
        # Never inside a match. Those further left may straddle the cut that this gives, so they come after.
        for low, high in sorted(bounds, key=lambda bound: -bound[1]):
            if low < cut < high:
                cut = low
        while any(low < cut < high for low, high in bounds):
            cut = min(low for low, high in bounds if low < cut < high)
        return max(cut, start)

    def _look(
        self,
        view: Folded | _Raw,
        passed: _Pass,
        start: int,
        found: list[Match],
        bounds: list[tuple[int, int]],
    ) -> None:
        encoded = view.text.encode("utf-8", "replace")
        hits = passed.hits(encoded)
        if not hits:
            return
        begin = view.folded(start) if start else 0
        for hit in hits:
            row = passed.rows[hit]
            for low, high, first, last in spans(row, view.text, encoded, begin):
                if first == last:
                    bounds.append((view.original(low), view.original_end(high)))
                    continue
                where = (view.original(first), view.original_end(last))
                bounds.append((min(view.original(low), where[0]), max(view.original_end(high), where[1])))
                if row.spec.expand is not None:
                    found.extend(self._expanded(row, view.text[first:last], view, first))
                else:
                    found.append(Match(row.index, *where, too_wide=high - low > row.spec.max_width))

    def _expanded(self, row: Row, text: str, view: Folded | _Raw, offset: int) -> list[Match]:
        """Read what a derived view says. One level deep: a view inside a view is not opened."""
        assert row.spec.expand is not None
        derived, at = row.spec.expand(text)
        if not derived:
            return []
        encoded = derived.encode()
        matches = []
        for hit in self._folded.hits(encoded):
            inner = self._folded.rows[hit]
            if inner.spec.expand is not None:
                continue
            for low, high, first, last in spans(inner, derived, encoded, 0):
                if first == last:
                    continue
                span = view.original(offset + at[first]), view.original_end(offset + at[last - 1] + 1)
                matches.append(Match(inner.index, *span, too_wide=high - low > inner.spec.max_width))
        return matches


class _Raw:
    """A text that is its own view."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    @staticmethod
    def original(index: int) -> int:
        return index

    @staticmethod
    def original_end(index: int) -> int:
        return index

    @staticmethod
    def folded(offset: int) -> int:
        return offset


def _united(matches: list[Match]) -> list[Match]:
    """Overlapping matches of one row, as one: the same text may be found in two views."""
    if len(matches) < 2:
        return matches
    out: list[Match] = []
    last: dict[int, Match] = {}
    for match in sorted(matches, key=lambda m: (m.start, m.spec)):
        previous = last.get(match.spec)
        if previous is not None and match.start < previous.end:
            previous.end = max(previous.end, match.end)
            previous.too_wide = previous.too_wide or match.too_wide
            continue
        last[match.spec] = kept = replace(match)
        out.append(kept)
    return out
