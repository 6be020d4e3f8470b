"""The part of a channel's text that is not finished with: by a sweep of patterns, by sentence windows. No I/O, no
clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from lockgate.detectors.scanner import Match
from lockgate.detectors.units import LONGEST
from lockgate.normalise import last_visible
from lockgate.policy.plan import PlannedRule, Sweep, Use
from lockgate.windows import borders


@dataclass(frozen=True, slots=True)
class Due:
    """A window [start, start + len(text)) that the detectors of `asked` have to look at; `before` is read with it."""

    start: int
    text: str
    before: str
    asked: tuple[tuple[PlannedRule, Use], ...]


class Place(NamedTuple):
    """A match of row `spec`, in offsets of the channel."""

    spec: int
    start: int
    end: int


class Tail:
    """`pending` is the text from `base` (an offset of the channel) on, `context` what stands before it.

    A tail can be given up: its text leaves as if the channel had ended, before it is known how it goes on. It stays
    here, up to `released`, with what was found in it (`told`); text that comes after all shows whether that was right.
    """

    __slots__ = ("base", "context", "pending", "released", "sweep", "told")

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.base = 0
        self.context = ""
        self.pending = ""
        self.released = 0
        self.told: set[Place] = set()

    def scan(self, *, final: bool) -> tuple[list[Match], int, int]:
        """Scan what is pending: the matches, whose offsets count from the context's start; what to add to those; and
        the offset of the channel up to which the scan is finished. Raises ScanError."""
        context = self.context
        start = len(context)
        scan = self.sweep.scanner.scan(context + self.pending, start=start, final=final)
        shift = self.base - start
        return scan.matches, shift, scan.cut + shift

    def drop(self, end: int) -> None:
        """What stands before `end` is done with."""
        count = end - self.base
        if count <= 0:
            return
        pending = self.pending
        gone = pending[:count]
        last = gone[-1]
        plain = " " <= last <= "~" and "\\" not in gone and "\\" not in self.context
        self.context = last if plain else last_visible(self.context + gone)
        self.pending = pending[count:]
        self.base = end
        if self.told and end >= self.released:
            self.told = set()

    def forget(self) -> None:
        """What comes next is another text: nothing of this one stands before it."""
        self.base += len(self.pending)
        self.pending = self.context = ""
        self.told = set()


class Windows:
    """A channel's text as sentence windows: those that are cut leave, in order, when all before them are settled.

    `cleared` is the offset up to which they are.
    """

    __slots__ = ("_ahead", "_base", "_past", "_text", "_torn", "cleared")

    def __init__(self) -> None:
        self._past: list[str] = []  # windows that may be read with the next one
        self._text = ""
        self._base = 0
        self._ahead: dict[int, int] = {}  # settled windows that an earlier, unsettled one still blocks
        self.cleared = 0
        self._torn = False  # the last window ended because it was given up

    def feed(self, text: str) -> bool:
        """More text. True: it goes on with a window that was given up."""
        self._text += text
        torn, self._torn = self._torn, False
        return torn

    def cut(self, *, final: bool) -> list[tuple[int, str, str]]:
        """The windows that are whole now: offset, text, and what is read with it of the text before."""
        text, start = self._text, 0
        found = []
        for end in borders(text, final=final):
            window = text[start:end]
            found.append((self._base + start, window, self._before(window)))
            start = end
        if start:
            self._text = text[start:]
            self._base += start
        return found

    def forget(self) -> None:
        """What comes next is another text."""
        self._past = []

    def _before(self, window: str) -> str:
        """As `units.each` has it: as many whole windows as fit."""
        past = self._past
        while past and sum(map(len, past)) + len(window) > LONGEST:
            del past[0]
        before = "".join(past)
        past.append(window)
        return before

    def give_up(self) -> list[tuple[int, str, str]]:
        """What there is of a window that is not whole."""
        found = self.cut(final=True)
        self._torn = self._torn or bool(found)
        return found

    def settle(self, start: int, end: int) -> None:
        self._ahead[start] = end
        while self.cleared in self._ahead:
            self.cleared = self._ahead.pop(self.cleared)
