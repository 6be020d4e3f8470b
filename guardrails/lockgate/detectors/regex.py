"""Python's pattern syntax, made ready for a linear-time engine and for streams.

A pattern is read into a tree (`regex_tree.py`) and written again, in RE2's syntax, in up to four forms:

- `full`: every repeat bounded, so that no match is wider than the row's `max_width` and one character;
- `open`: where the pattern has unbounded repeats, the pattern as it stands: how the width is shared out among them is
  known only at the match, so the scanner looks for it in stretches of that width;
- `loose`: the same with its large repeats unbounded, a superset that costs the set engine far fewer states;
- `live`: matches the *reversed* end of a text exactly where that end could still grow into a match. A stream may
  let everything go that stands before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from lockgate.detectors.regex_edges import ASCII_WORD, edge, settled, strip
from lockgate.detectors.regex_tree import Alt, At, Capture, Char, Node, Repeat, Seq, Spelling, read
from lockgate.errors import PatternError

_LOOSE_FROM = 12  # a bounded repeat of more copies than this is unbounded in the loose form
_LIVE_FROM = 24
"""Likewise in the live form: what is held is bounded anyway. The further an automaton counts, the more states it has for
the ends of texts, until it has no room for all of them; counting less far holds more."""
_LIVE_FROM_UNICODE = 8  # one of Unicode's classes is some hundred states
_RE2_REPEAT_LIMIT = 1000
_OPEN = -1  # in place of a cap: unbounded repeats stay so
_MIRROR = {"^": "$", "$": "^", r"\A": r"\z", r"\z": r"\A", r"\b": r"\b", r"\B": r"\B"}


@dataclass(frozen=True)
class Prepared:
    """A pattern, ready to be written in its forms, each of which is written when it is first asked for. `width`: the most
    characters a match can have. `left`/`right`: the pattern begins / ends with a word boundary, to be checked against
    Unicode's letters as well, which RE2 does not. `apart` is the same for a spelling in which signs
    stand for letters: no word goes on there, and one letter at least is in the match."""

    node: Node
    head: str
    cap: int
    width: int
    left: bool
    right: bool
    captures: bool
    waits: bool
    apart: tuple[bool, bool] | None = None

    @cached_property
    def full(self) -> str:
        return f"{self.head}{_emit(self.node, self.cap)})"

    @cached_property
    def open(self) -> str:
        """Empty where `full` is the pattern."""
        return f"{self.head}{_emit(self.node, _OPEN)})" if _unbounded(self.node) else ""

    @cached_property
    def loose(self) -> str:
        return f"{self.head}{_emit(self.node, None)})"

    @cached_property
    def live(self) -> str:
        return f"{self.head}{_live(self.node, self.cap, waits=self.waits)})"


@lru_cache(maxsize=1024)  # the scanners of one policy share most of their rows
def prepare(
    pattern: str,
    *,
    max_width: int,
    ignore_case: bool = False,
    folded: bool = True,
    peeks: bool = False,
    spelling: Spelling | None = None,
) -> Prepared:
    """Read `pattern` and write its forms. `peeks`: its matches are checked with the character behind them, which a
    stream has to wait for. `spelling`: its letters are written so. Raises PatternError for what can't be run in linear time or is too wide."""
    node, flags = read(pattern, ignore_case=ignore_case, folded=folded, spelling=spelling)
    captures = _captures(node)
    if captures > 1:
        raise PatternError(
            f"the pattern has {captures} capturing groups", hint="keep one, for the span to report; write (?:…)"
        )
    if _least(node) == 0:
        raise PatternError("the pattern can match nothing at all", hint="make at least one part of it necessary")
    signs = spelling == "leet"
    left, right, node = _edges(node, bare=signs)
    cap = _cap(node, max_width)
    head = "(?" + ("i" if flags & re.IGNORECASE else "") + ("m" if flags & re.MULTILINE else "")
    return Prepared(
        node=node,
        head=head + ":",
        cap=cap,
        width=_width(node, cap),
        left=left and not signs,
        right=right and not signs,
        captures=captures == 1,
        waits=right or peeks or signs,
        apart=(left, right) if signs else None,
    )


def _captures(node: Node) -> int:
    match node:
        case Capture(item):
            return 1 + _captures(item)
        case Seq(items) | Alt(items):
            return sum(_captures(item) for item in items if type(item) is not Char)
        case Repeat(item):
            return _captures(item)
        case _:
            return 0


def _edges(node: Node, *, bare: bool) -> tuple[bool, bool, Node]:
    r"""Whether the pattern begins and ends with ``\b``, which is looked for when there is a match. RE2 is told of it only
    beside an ASCII letter or digit, where it sees at least all that there are; not at all, if it is to be `bare`."""
    has = {False: False, True: False}
    for last in has:
        stripped = node
        while (found := strip(stripped, last=last))[0]:
            has[last], stripped = found
        if bare or edge(stripped, last=last) != ASCII_WORD:
            node = stripped
    return has[False], has[True], settled(node)


def _width(node: Node, cap: int) -> int:
    match node:
        case Char():
            return 1
        case At():
            return 0
        case Capture(item):
            return _width(item, cap)
        case Seq(items):
            return sum(1 if type(item) is Char else _width(item, cap) for item in items)
        case Alt(items):
            return max((_width(item, cap) for item in items), default=0)
        case Repeat(item, low, high):
            return _width(item, cap) * (max(low, cap) if high is None else high)


def _least(node: Node) -> int:
    """The fewest characters a match can have."""
    match node:
        case Char():
            return 1
        case At():
            return 0
        case Capture(item):
            return _least(item)
        case Seq(items):
            return sum(1 if type(item) is Char else _least(item) for item in items)
        case Alt(items):
            return min(map(_least, items), default=0)
        case Repeat(item, low):
            return _least(item) * low


def _unbounded(node: Node) -> bool:
    match node:
        case Seq(items) | Alt(items):
            return any(_unbounded(item) for item in items if type(item) is not Char)
        case Capture(item):
            return _unbounded(item)
        case Repeat(item, high=high):
            return high is None or _unbounded(item)
        case _:
            return False


def _cap(node: Node, max_width: int) -> int:
    """The most copies that each unbounded repeat may have, for no match to be wider than `max_width` + 1 characters.
    The one more tells a match that ends there from one that was cut."""
    least = _width(node, 0)
    if least > max_width:
        raise PatternError(
            f"the pattern can match {least} characters, more than its max_width of {max_width}",
            hint=f"set max_width: {least}, or bound its repeats",
        )
    if not _unbounded(node):
        return 0
    most = max_width + 1
    low, high = 0, most
    step = _width(node, most) - _width(node, most - 1)
    guess = most - (_width(node, most) - most + step - 1) // step  # which it is, unless repeats stand in repeats
    if 0 < guess <= most and _width(node, guess) <= most < _width(node, guess + 1):
        return guess
    while low < high:
        middle = (low + high + 1) // 2
        if _width(node, middle) <= max_width + 1:
            low = middle
        else:
            high = middle - 1
    return low


def _times(text: str, low: int, high: int | None) -> str:
    """`text` repeated. RE2 takes at most 1,000 copies of one thing, so larger counts are written in parts."""
    if high is None:
        if low > _RE2_REPEAT_LIMIT:
            return _times(text, _RE2_REPEAT_LIMIT, _RE2_REPEAT_LIMIT) + _times(text, low - _RE2_REPEAT_LIMIT, None)
        return f"(?:{text})" + {0: "*", 1: "+"}.get(low, f"{{{low},}}")
    if high <= 0:
        return ""
    if high > _RE2_REPEAT_LIMIT:
        first = min(low, _RE2_REPEAT_LIMIT)
        return _times(text, first, _RE2_REPEAT_LIMIT) + _times(text, low - first, high - _RE2_REPEAT_LIMIT)
    return f"(?:{text})" if low == high == 1 else f"(?:{text}){{{low},{high}}}"


def _emit(node: Node, cap: int | None, *, reverse: bool = False) -> str:
    """RE2's text of a node; `cap` None for the loose form, `_OPEN` for the open one. Reversed, it is for the live form,
    in which unbounded repeats stay so."""
    match node:
        case Char(text):
            return text
        case At(text):
            return _MIRROR[text] if reverse else text
        case Capture(item):
            inner = _emit(item, cap, reverse=reverse)
            return f"(?:{inner})" if reverse or cap is None else f"({inner})"
        case Seq(items):
            return "".join(
                i.re2 if type(i) is Char else _emit(i, cap, reverse=reverse)
                for i in (reversed(items) if reverse else items)
            )
        case Alt(items):
            return "(?:" + "|".join(_emit(i, cap, reverse=reverse) for i in items) + ")"
        case Repeat(item, low, high):
            inner = _emit(item, cap, reverse=reverse)
            if cap is None:
                return _times(inner, min(low, _LOOSE_FROM), None if high is None or high > _LOOSE_FROM else high)
            if high is None and (reverse or cap == _OPEN):
                return _times(inner, min(low, _live_from(inner)) if reverse else low, None)
            most = max(low, cap) if high is None else high
            if reverse and most > _live_from(inner):
                return _times(inner, min(low, _live_from(inner)), None)
            return _times(inner, low, most)


def _live_from(text: str) -> int:
    return _LIVE_FROM_UNICODE if "\\p" in text else _LIVE_FROM


def _live(node: Node, cap: int, *, waits: bool) -> str:
    """The reversed texts that are unfinished matches. A pattern that ends in a boundary is unfinished, too, when only
    the next character is missing; where the scanner checks that boundary, the whole pattern is added here."""
    unfinished = _unfinished(node, cap)
    if waits and not (isinstance(node, Seq) and node.items and isinstance(node.items[-1], At)):
        return f"(?:{unfinished}|{_emit(node, cap, reverse=True)})"
    return unfinished


def _unfinished(node: Node, cap: int) -> str:
    """Reversed proper prefixes of what `node` matches, the empty one included."""
    match node:
        case Char() | At():
            return ""
        case Capture(item):
            return _unfinished(item, cap)
        case Alt(items):
            forms = list(dict.fromkeys(_unfinished(item, cap) for item in items))
            return "(?:" + "|".join(forms) + ")"
        case Repeat(item, _, high):
            whole = _emit(item, cap, reverse=True)
            most = None if high is None or high > _live_from(whole) else high - 1
            return _unfinished(item, cap) + _times(whole, 0, most)
        case Seq(items):
            if not items:
                return ""
            # From the back: either this item is unfinished, or it is whole and what follows it is.
            text = _unfinished(items[-1], cap)
            for item in reversed(items[:-1]):
                text = f"(?:{_unfinished(item, cap)}|{text}{_emit(item, cap, reverse=True)})"
            return text
