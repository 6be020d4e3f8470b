"""One linear-time pass over a text for all pattern rows of a plan.

A set automaton (RE2) says in one pass which rows occur at all; only those are then searched for their spans. What a
scan finds is a function of the text alone, and local: a finding depends on its own characters and on one neighbour on
each side. That is what lets a stream be scanned in pieces (`cut`) with the result of the whole. `rows.py` has the
matches of a single row, `views.py` what is read in another form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lockgate.detectors import automaton
from lockgate.detectors.automaton import Find, Hits, Pattern
from lockgate.detectors.protocol import Derived, PatternSpec
from lockgate.detectors.rows import Row, compiled_row, spans
from lockgate.detectors.views import DEPTH, LONGEST, SPELLINGS, name_of, views
from lockgate.errors import LockgateError, PatternError
from lockgate.normalise import Folded, Unescaped, begun, last_visible, plain

_MEMORY = 48 << 20  # bytes an automaton over all rows may grow to, whatever texts it meets
_MOST = 4096  # characters at a text's end, more than nearly all rows need
_REACHES = (300, LONGEST // 2 + 2, LONGEST + 2)
_LIVE_MEMORY = 64 << 20
_SHORT, _KNOWN = 24, 4096
"""Ends of streams of so few characters, and so many of them, are known again where nothing was found in them."""
_TOGETHER = 100
"""Rows whose unfinished ends are looked for together. At a text's end all of them may be unfinished in every possible
way: an automaton for many more has no room for its states, and is a hundred times slower without."""


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


class _Set:
    """The set of the rows of one view. Rows that are alike to it are in it once."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        forms = {form: i for i, form in enumerate(dict.fromkeys(row.form.loose for row in rows))}
        self.entries = [forms[row.form.loose] for row in rows]
        # The last always matches. When the automaton runs out of memory it answers with nothing, not even this.
        self._alive = len(forms)
        self._hits: Hits = automaton.pattern_set([*forms, "(?s:.)"], _MEMORY)

    def hits(self, encoded: bytes) -> list[int]:
        """The entries that occur in a text that is not empty."""
        found = self._hits(encoded)
        if found is None or self._alive not in found:
            raise ScanError("the pattern set ran out of memory")
        return [] if len(found) == 1 else [hit for hit in found if hit != self._alive]


class Rows:
    """All rows of a plan, compiled once; `scanner` gives scanners that look for some of them. `longest` is the most
    characters that a disguised text may have.

    Raises PatternError, naming the row's label, for a pattern that can't be compiled.
    """

    def __init__(self, specs: Sequence[PatternSpec], *, longest: int = LONGEST) -> None:
        self.specs = tuple(specs)
        asked = frozenset[str]().union(*(spec.views for spec in self.specs))
        seen = [view for view in views(longest) if name_of(view) in asked]
        self.rows = [compiled_row(i, spec) for i, spec in enumerate((*self.specs, *seen))]
        self.rows += [
            compiled_row(i, spec, spelling) for i, spec in enumerate(self.specs) for spelling in SPELLINGS & spec.views
        ]
        try:
            self.folded = _Set([row for row in self.rows if row.spec.view == "folded"])
            self.raw = _Set([row for row in self.rows if row.spec.view == "raw"])
        except automaton.error:
            raise _too_much() from None
        self._scanners: dict[tuple[frozenset[int], frozenset[int]], Scanner] = {}
        self._ends: dict[tuple[bool, frozenset[int]], list[tuple[int, Find]]] = {}

    def scanner(self, wanted: Iterable[int], held: Iterable[int] = ()) -> Scanner:
        """A scanner for the rows of these numbers: the same one for the same numbers. What may be the beginning of a
        match of `held` rows is unfinished for it, too: scanners for which that is equal share what it takes."""
        numbers = frozenset(wanted)
        key = numbers, numbers.union(held)
        if key not in self._scanners:
            self._scanners[key] = Scanner(self, *key)
        return self._scanners[key]

    def views(self, numbers: frozenset[int]) -> frozenset[str]:
        """The views in which rows are looked for."""
        return frozenset[str]().union(*(self.specs[number].views for number in numbers))

    def ends(self, held: frozenset[int], *, folded: bool) -> list[tuple[int, Find]]:
        """The automata of the unfinished ends of rows, each with its reach. Raises PatternError."""
        key = folded, held
        if key not in self._ends:
            views = self.views(held)
            widest = max((row.reach for row in self.rows), default=0) + 1
            forms: dict[int, dict[str, None]] = {}
            for row in (self.folded if folded else self.raw).rows:
                if row.index in held or (row.spec.expand is not None and name_of(row.spec) in views):
                    # Narrow rows must not hold a text as long as wide ones do.
                    reach = next((most for most in _REACHES if row.reach < most), widest)
                    forms.setdefault(reach, {})[row.form.live] = None
            try:
                self._ends[key] = [
                    (reach, Pattern(f"(?:{'|'.join(some)})", _LIVE_MEMORY).match)
                    for reach, alike in forms.items()
                    for some in (list(alike)[i : i + _TOGETHER] for i in range(0, len(alike), _TOGETHER))
                ]
            except automaton.error:
                raise _too_much() from None
        return self._ends[key]


class _Wanted:
    """What one scanner looks for in one view, and the ends of texts that are unfinished in it."""

    __slots__ = ("_all", "_folded", "_held", "_live", "_of", "_set", "reach", "rows")

    def __init__(self, rows: Rows, wanted: frozenset[int], held: frozenset[int], *, folded: bool) -> None:
        self._all = rows
        self._held = held
        self._folded = folded
        self._set = rows.folded if folded else rows.raw
        self._of: dict[int, list[Row]] = {}
        self.rows: list[Row] = []
        views = rows.views(wanted)
        for entry, row in zip(self._set.entries, self._set.rows, strict=True):
            if row.index in wanted or (row.spec.expand is not None and name_of(row.spec) in views):
                self._of.setdefault(entry, []).append(row)
                self.rows.append(row)
        self.reach = max((row.reach for row in self.rows), default=0) + 1
        self._live: list[tuple[int, Find]] | None = None

    def hits(self, encoded: bytes) -> list[Row]:
        found = self._set.hits(encoded)
        return [row for hit in found for row in self._of.get(hit, ())] if found else []

    def ready(self) -> list[tuple[int, Find]]:
        """The automata of unfinished ends, which only streams need. Raises PatternError."""
        if self._live is None:
            self._live = self._all.ends(self._held, folded=self._folded)
        return self._live

    def live(self, text: str, encoded: bytes) -> int:
        """The offset from which `text` may be the beginning of a match; len(text) if nothing is unfinished."""
        longest = 0
        if len(encoded) == len(text):
            tail = encoded[:-_MOST:-1]
            for reach, live in self._live or self.ready():
                if reach >= _MOST:
                    tail = encoded[: -reach - 1 : -1]
                match = live(tail, 0, min(reach, len(tail)))
                if match is not None and match[0][1] > longest:
                    longest = match[0][1]
            return len(text) - longest
        for reach, live in self._live or self.ready():
            tail = text[: -reach - 1 : -1].encode("utf-8", "replace")
            match = live(tail, 0, len(tail))
            if match is not None:
                longest = max(longest, len(tail[: match[0][1]].decode()))
        return len(text) - longest


class Scanner:
    """Looks for some of the rows of a plan: `wanted` of `specs`, all unless said. Immutable, and safe to share between
    tasks. Given rows that are not compiled yet, it compiles them, and raises PatternError as `Rows` does."""

    def __init__(
        self, specs: Sequence[PatternSpec] | Rows, wanted: Iterable[int] | None = None, held: Iterable[int] = ()
    ) -> None:
        rows = specs if isinstance(specs, Rows) else Rows(specs)
        self.specs = rows.specs
        self.wanted = frozenset(range(len(self.specs)) if wanted is None else wanted)
        holds = self.wanted.union(held)
        self._folded = _Wanted(rows, self.wanted, holds, folded=True)
        self._raw = _Wanted(rows, self.wanted, holds, folded=False)
        self.width = max(self._folded.reach, self._raw.reach)
        self._quiet: dict[tuple[str, int], int] = {}

    def ready(self) -> None:
        """Make what only streams need now, and not at the first of them. Raises PatternError for patterns that
        together need too much memory."""
        self._folded.ready()
        self._raw.ready()

    def scan(self, text: str, *, start: int = 0, final: bool = True) -> Scan:
        """Find all rows in text[start:]; what stands before `start` is context only.

        `final` says that the text ends here. If it does not, `cut` is where the finished part ends; it never lies
        inside a match. Raises ScanError.
        """
        short = not final and len(text) <= _SHORT
        if short and (cut := self._quiet.get((text, start))) is not None:
            return Scan([], cut)
        scan = self._scan(text, start, final=final)
        if short and not scan.matches:
            if len(self._quiet) >= _KNOWN:
                self._quiet.clear()
            self._quiet[text, start] = scan.cut
        return scan

    def _scan(self, text: str, start: int, *, final: bool) -> Scan:
        if not final and start <= (stop := begun(text)) < len(text):
            text = text[:stop]
        encoded = plain(text)
        found: list[Match] = []
        bounds: list[tuple[int, int]] = []
        cut = len(text)
        if encoded is not None:
            if encoded and (rows := self._folded.hits(encoded)):
                self._look(rows, _Same(text, encoded), start, found, bounds)
            if not final:
                cut = self._folded.live(text, encoded)
        else:
            folded = Folded(text)
            if folded.text and (rows := self._folded.hits(folded.encoded)):
                self._look(rows, folded, start, found, bounds)
            if not final:
                live = self._folded.live(folded.text, folded.encoded)
                cut = folded.original(live) if live < len(folded.text) else cut
            raw = folded.unescaped or _Same(text, text.encode("utf-8", "replace"))
            if not raw.text.isascii():
                if rows := self._raw.hits(raw.encoded):
                    self._look(rows, raw, start, found, bounds)
                if not final:
                    cut = min(cut, raw.original(self._raw.live(raw.text, raw.encoded)))
        if not final:
            if bounds:
                cut = _outside(bounds, cut)
            cut = max(cut, start)
            if found:
                found = [match for match in found if match.start < cut]
        return Scan(_united(found), cut)

    def in_pieces(self, text: str, size: int) -> Iterator[list[Match]]:
        """Find all rows in a long text, `size` characters at a time, so that something else can be done between: in
        all, what `scan` finds. Raises ScanError."""
        base = 0
        context = ""
        while base < len(text):
            stop = min(base + size, len(text))
            start = len(context)
            scan = self.scan(context + text[base:stop], start=start, final=stop == len(text))
            shift = base - start
            yield [Match(m.spec, m.start + shift, m.end + shift, m.too_wide) for m in scan.matches]
            done = scan.cut - start if stop < len(text) else stop - base
            if 2 * done < stop - base:
                size *= 2  # so much is unfinished that it would be read again and again
            if done:
                context = last_visible(context + text[base : base + done])
            base += done

    def _look(
        self,
        rows: Sequence[Row],
        view: _View,
        start: int,
        found: list[Match],
        bounds: list[tuple[int, int]],
    ) -> None:
        begin = view.folded(start) if start else 0
        for row in rows:
            for low, high, first, last in spans(row, view.text, view.encoded, begin):
                if first == last:
                    if row.spec.expand is None:  # a view's check looks at its match's neighbours, not at its match
                        bounds.append((view.original(low), view.original_end(high)))
                    continue
                where = (view.original(first), view.original_end(last))
                bounds.append((min(view.original(low), where[0]), max(view.original_end(high), where[1])))
                if row.spec.expand is None:
                    found.append(Match(row.index, *where, too_wide=high - low > row.spec.max_width))
                else:
                    self._derived(row, view, first, last, (), found)

    def _derived(
        self, row: Row, view: _View | _Inner, first: int, last: int, within: tuple[str, ...], found: list[Match]
    ) -> None:
        """Read what text[first:last] of a view says in another one. `within` are the views that it stands in."""
        assert row.spec.expand is not None
        derived = row.spec.expand(view.text[first:last])
        if derived is None or not derived.text:
            return
        inner = _Inner(derived, view, first)
        within = (*within, name_of(row.spec))
        for hit in self._folded.hits(inner.encoded) if inner.text else ():
            if hit.spec.expand is None and not hit.spec.views.issuperset(within):
                continue
            if hit.spec.expand is not None and len(within) == DEPTH:
                continue
            for low, high, begin, end in spans(hit, inner.text, inner.encoded, 0):
                if begin == end:
                    continue
                if hit.spec.expand is not None:
                    self._derived(hit, inner, begin, end, within, found)
                    continue
                span = inner.original(begin), inner.original_end(end)
                found.append(Match(hit.index, *span, too_wide=high - low > hit.spec.max_width))


class _Same:
    """A text that is its own view."""

    __slots__ = ("encoded", "text")

    def __init__(self, text: str, encoded: bytes) -> None:
        self.text = text
        self.encoded = encoded

    @staticmethod
    def original(index: int) -> int:
        return index

    @staticmethod
    def original_end(index: int) -> int:
        return index

    @staticmethod
    def folded(offset: int) -> int:
        return offset


_View = Folded | Unescaped | _Same


class _Inner:
    """What a part of a view says in another one, folded, with the way back to the original text."""

    __slots__ = ("_derived", "_offset", "_outer", "_view", "encoded", "text")

    def __init__(self, derived: Derived, outer: _View | _Inner, offset: int) -> None:
        encoded = plain(derived.text)
        self._view = Folded(derived.text) if encoded is None else _Same(derived.text, encoded)
        self._derived = derived
        self._outer = outer
        self._offset = offset
        self.text = self._view.text
        self.encoded = self._view.encoded

    def original(self, index: int) -> int:
        return self._outer.original(self._offset + self._derived.starts[self._view.original(index)])

    def original_end(self, index: int) -> int:
        starts, ends = self._derived.starts, self._derived.ends
        last = self._view.original_end(index) - 1
        return self._outer.original_end(self._offset + (starts[last] + 1 if ends is None else ends[last]))


def _too_much() -> PatternError:
    return PatternError(
        "the patterns together need more memory than the engine may take",
        hint="lower the counts of their repeats, or look for fewer",
    )


def _outside(bounds: list[tuple[int, int]], cut: int) -> int:
    """The last place up to `cut` that lies inside no match. Those further left may straddle the place that one gives,
    so they come after."""
    for low, high in sorted(bounds, key=lambda bound: -bound[1]):
        if low < cut < high:
            cut = low
    while any(low < cut < high for low, high in bounds):
        cut = min(low for low, high in bounds if low < cut < high)
    return cut


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
