"""Finding masks in an answer, so that what they stand for can be put back. No I/O.

A mask is found whatever the case of its letters, with and without its brackets, and with Markdown's backslashes before
its signs. Only masks that are known are found: one that a model made up stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_SIGNS = frozenset("[]_-@.")  # what Markdown may put a backslash before; in JSON there are two or three
_MOST_BACKSLASHES = 3
_LETTER = re.compile(r"[0-9A-Za-z]")
_START = re.compile(r"\\|\[|(?<![0-9A-Za-z])[0-9A-Za-z]")
_END = ""


class Match(NamedTuple):
    """A mask at [start, end), and what it stands for."""

    start: int
    end: int
    original: str


class Finder:
    """Finds the masks of one request. `originals` maps each mask to what it stands for."""

    def __init__(self, originals: Mapping[str, str]) -> None:
        self._tree: dict[str, Any] = {}
        for mask, original in originals.items():
            self._grow(mask.lower(), original)
            if mask.startswith("["):
                self._grow(mask[1:-1].lower(), original)

    def _grow(self, mask: str, original: str) -> None:
        node = self._tree
        for letter in mask:
            node = node.setdefault(letter, {})
        node[_END] = original

    def scan(self, text: str, before: str = "", *, final: bool) -> tuple[list[Match], int]:
        """The masks in `text`, which the character `before` stands before, and how much of it is decided: what follows
        may be the beginning of a mask, unless the text is `final`."""
        found: list[Match] = []
        at = 0
        while (start := _START.search(text, at)) is not None:
            at = start.start()
            if at == 0 and _LETTER.match(before) and _LETTER.match(text):
                at = 1  # within a word
                continue
            match = self._walk(text, at, final=final)
            if match is None:
                at += 1
            elif match.end < 0:
                return found, at
            else:
                found.append(match)
                at = match.end
        return found, len(text)

    def _walk(self, text: str, start: int, *, final: bool) -> Match | None:
        """The mask that begins at `start`. None: there is none. Its end is -1: that is not known yet."""
        node, at, length = self._tree, start, len(text)
        while True:
            if at < length and text[at] == "\\":
                run = at
                while run < length and text[run] == "\\" and run - at <= _MOST_BACKSLASHES:
                    run += 1
                if run - at > _MOST_BACKSLASHES or (run < length and text[run] not in _SIGNS):
                    return None
                at = run
            if at == length:
                return None if final else Match(start, -1, "")
            following = node.get(text[at].lower())
            if following is None:
                return None
            node, at = following, at + 1
            original = node.get(_END)
            if original is None:
                continue
            if text[at - 1] == "]":
                return Match(start, at, original)
            if at < length and not _LETTER.match(text[at]):
                return Match(start, at, original)
            if at == length:
                return Match(start, at, original) if final else Match(start, -1, "")


class Restorer:
    """Finds masks in a text that comes in pieces. `settled` is how many characters, from its start, are decided."""

    __slots__ = ("_before", "_finder", "_found", "_pending", "settled")

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._pending = ""
        self._before = ""
        self._found: list[Match] = []
        self.settled = 0

    @property
    def held(self) -> int:
        """Characters that may be the beginning of a mask."""
        return len(self._pending)

    def feed(self, text: str, *, final: bool = False) -> None:
        """More of the text. `final`: nothing follows, or nobody waits for it."""
        self._pending += text
        matches, decided = self._finder.scan(self._pending, self._before, final=final)
        base = self.settled
        self._found.extend(Match(base + m.start, base + m.end, m.original) for m in matches)
        if decided:
            self._before = self._pending[decided - 1]
            self._pending = self._pending[decided:]
            self.settled += decided

    def take(self) -> list[Match]:
        """What was found since this was asked last, in offsets of the whole text."""
        found, self._found = self._found, []
        return found
