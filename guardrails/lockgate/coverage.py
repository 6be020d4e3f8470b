"""Which places of an exchange were looked at, and by what: the record behind "nothing passes unseen"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

LISTED = 1000
"""Places that a record names one by one, of those scanned and of those skipped. The rest is counted by shape."""
_SHAPES = 64
"""Shapes that are told apart in one group. What is left is counted under `*`."""
_OTHERS = "*"
_NAMELESS = re.compile(r"/(?:\d+|~[^/]*)(?=/|$)")
_WORD = re.compile(r"[a-z][a-z0-9_-]*")

_T = TypeVar("_T")


def _as_it_is(where: str) -> str:
    return where


@dataclass(slots=True)
class Coverage:
    """Which text was looked at by which detectors, and which was not and why. Keys are JSON pointers.

    A reason begins with one word that says what kind it is (``image: not text``); ``unread: …`` is what no lens knows.
    """

    scanned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def unread(self) -> int:
        """Places that no lens knows."""
        return sum(reason.startswith("unread") for reason in self.skipped.values())

    def merge(self, other: Coverage) -> None:
        self.scanned.update(other.scanned)
        self.skipped.update(other.skipped)

    def drop(self, places: Iterable[str], kind: str, reason: str) -> None:
        """The detector `kind` has not looked at `places` after all; one at which nothing else looks is skipped."""
        for where in places:
            names = self.scanned.get(where, ())
            if kind in names:
                left = tuple(name for name in names if name != kind)
                if left:
                    self.scanned[where] = left
                else:
                    del self.scanned[where]
                    self.skipped[where] = reason

    def counts(self) -> dict[str, int]:
        """`scanned`, `skipped` and `unknown`, which are all places there are; then those skipped, by the word of their
        reason."""
        if not self.skipped:
            return {"scanned": len(self.scanned), "skipped": 0, "unknown": 0}
        words = Counter(map(word_of, self.skipped.values()))
        unknown = self.unread
        words.pop("unknown", None)
        return {"scanned": len(self.scanned), "skipped": len(self.skipped) - unknown, "unknown": unknown, **words}

    def public(self, place: Callable[[str], str] = _as_it_is) -> dict[str, Any]:
        """As JSON-ready values, grouped by the detectors that looked, since most texts are looked at by the same ones.
        `place` gives a pointer as it may be shown.

        The first `LISTED` places are named. Where there are more, ``more`` counts them by shape: the pointer with `*` for
        every index, and for every name that `place` hides.
        """
        scanned, skipped = iter(self.scanned.items()), iter(self.skipped.items())
        listed: dict[str, list[str]] = {}
        for where, detectors in islice(scanned, LISTED):
            listed.setdefault(",".join(detectors), []).append(place(where))
        shown: dict[str, Any] = {
            "scanned": listed,
            "skipped": {place(where): why for where, why in islice(skipped, LISTED)},
        }
        more: dict[str, Any] = {}
        if len(self.scanned) > LISTED:
            more["scanned"] = _counted(((",".join(names), where) for where, names in scanned), place)
        if len(self.skipped) > LISTED:
            more["skipped"] = _counted(((why, where) for where, why in skipped), place)
        return {**shown, "more": more} if more else shown


def _counted(places: Iterator[tuple[str, str]], place: Callable[[str], str]) -> dict[str, dict[str, int]]:
    """Group → shape → how many."""
    groups: dict[str, dict[str, int]] = {}
    for group, where in places:
        shapes = groups.setdefault(group, {})
        shape = _NAMELESS.sub("/*", place(where))
        if shape not in shapes and len(shapes) >= _SHAPES:
            shape = _OTHERS
        shapes[shape] = shapes.get(shape, 0) + 1
    return groups


def newest(things: Mapping[str, _T], most: int = LISTED) -> tuple[dict[str, _T], int]:
    """The last `most` of `things`, and how many came before them."""
    before = max(len(things) - most, 0)
    return dict(islice(things.items(), before, None)) if before else dict(things), before


@lru_cache(256)
def word_of(reason: str) -> str:
    """The word that a reason begins with; of ``unread: tokens``, what it is that is unread."""
    found = _WORD.match(reason.removeprefix("unread: "))
    return found[0] if found else "other"
