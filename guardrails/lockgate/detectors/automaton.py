"""RE2, as our detectors use it: patterns over UTF-8 bytes, and sets that say which of their patterns occur at all.

`re2` wraps its C++ objects in Python ones that cost more than a search of a short text does, so theirs are called
directly. Where an installed version has no such entry points, or they answer differently, the public interface is used:
the same answers, some microseconds later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import re2

try:
    from re2 import _re2 as core
except ImportError:
    core = None

_PROBE = 1 << 20

Spans = Sequence[tuple[int, int]]
"""The spans in bytes of a match and of its groups; (-1, -1) for a group that took no part."""

Find = Callable[[bytes, int, int], "Spans | None"]
"""(text, start, stop) → the leftmost-longest match in text[start:stop], which knows nothing of what lies outside."""

Hits = Callable[[bytes], "Sequence[int] | None"]
"""Text → which patterns of a set occur, in any order."""

error = re2.error


def options(memory: int) -> re2.Options:
    """RE2's options for all that we compile; `memory` in bytes."""
    made = re2.Options()
    made.longest_match = True
    made.log_errors = False
    made.max_mem = memory
    return made


class Pattern:
    """A compiled pattern. `search` finds its first match anywhere, `match` the one that begins at the start. Raises
    `error` for a pattern that RE2 refuses."""

    __slots__ = ("match", "search")

    search: Find
    match: Find

    def __init__(self, pattern: str, memory: int) -> None:
        self.search, self.match = (_direct if DIRECT else _public)(pattern, memory)


def pattern_set(patterns: Sequence[str], memory: int) -> Hits:
    """A set of patterns. Raises `error` where it needs more memory."""
    return (_direct_set if DIRECT else _public_set)(patterns, memory)


def _direct(pattern: str, memory: int) -> tuple[Find, Find]:
    regexp = core.RE2(pattern.encode(), options(memory))
    if not regexp.ok():
        raise error(regexp.error())
    call = regexp.Match
    anywhere, here = core.RE2.Anchor.UNANCHORED, core.RE2.Anchor.ANCHOR_START

    def search(text: bytes, start: int, stop: int) -> Spans | None:
        spans: Spans = call(anywhere, text, start, stop)
        return spans if spans[0][0] >= 0 else None

    def match(text: bytes, start: int, stop: int) -> Spans | None:
        spans: Spans = call(here, text, start, stop)
        return spans if spans[0][0] >= 0 else None

    return search, match


def _public(pattern: str, memory: int) -> tuple[Find, Find]:
    regexp = re2.compile(pattern, options(memory))

    def spans(found: re2._Match | None) -> Spans | None:
        return None if found is None else [found.span(group) for group in range(regexp.groups + 1)]

    return (
        lambda text, start, stop: spans(regexp.search(text, start, stop)),
        lambda text, start, stop: spans(regexp.match(text, start, stop)),
    )


def _direct_set(patterns: Sequence[str], memory: int) -> Hits:
    made = core.Set(core.RE2.Anchor.UNANCHORED, options(memory))
    if any(made.Add(pattern.encode()) < 0 for pattern in patterns) or not made.Compile():
        raise error("the set can't be compiled")
    hits: Hits = made.Match
    return hits


def _public_set(patterns: Sequence[str], memory: int) -> Hits:
    made = re2.Set.SearchSet(options(memory))
    for pattern in patterns:
        made.Add(pattern)
    made.Compile()
    hits: Hits = made.Match
    return hits


def _is_direct() -> bool:
    """Whether the entry points behind the public ones are there, and answer as they did when this was written."""
    try:
        search, match = _direct("b(c|(d))", _PROBE)
        if search(b"abcd", 0, 4) != [(1, 3), (2, 3), (-1, -1)] or search(b"abcd", 0, 2) is not None:
            return False
        if match(b"abcd", 1, 4) != [(1, 3), (2, 3), (-1, -1)] or match(b"abcd", 0, 4) is not None:
            return False
        hits = _direct_set(["a", "b"], _PROBE)
        return list(hits(b"xb") or ()) == [1] and not hits(b"x")
    except (AttributeError, TypeError, IndexError, error):
        return False


DIRECT = _is_direct()
