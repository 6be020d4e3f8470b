"""Python's pattern syntax, read into a small tree by the standard library's own parser.

What can't be matched in linear time is refused here, in words. The pattern's own letters are folded as the text will
be, so that words in any script still match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Literal

from lockgate.errors import PatternError
from lockgate.normalise import fold

_FOLDED_RANGE_LIMIT = 4096
_UNSUPPORTED = {
    "ASSERT": "look-around",
    "ASSERT_NOT": "look-around",
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a conditional group",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
}
_CATEGORIES = {
    "CATEGORY_DIGIT": "0-9",
    "CATEGORY_NOT_DIGIT": r"^0-9",
    "CATEGORY_SPACE": r"\t\n\v\f\r ",
    "CATEGORY_NOT_SPACE": r"^\t\n\v\f\r ",
    "CATEGORY_WORD": r"\pL\pN_",
    "CATEGORY_NOT_WORD": r"^\pL\pN_",
}
_ASSERTIONS = {
    "AT_BEGINNING": "^",
    "AT_BEGINNING_STRING": r"\A",
    "AT_END": "$",
    "AT_END_STRING": r"\z",
    "AT_BOUNDARY": r"\b",
    "AT_NON_BOUNDARY": r"\B",
}


@dataclass(frozen=True, slots=True)
class Char:
    """One character out of a class, written as RE2 reads it. `ascii`: it can only be an ASCII character; `word`: it is
    a letter, digit or underscore of any script, or is none of them, or may be either (None)."""

    re2: str
    ascii: bool
    word: bool | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class At:
    """A zero-width assertion."""

    re2: str


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """One of several."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`low` to `high` copies; None for no limit."""

    item: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Capture:
    """The group whose span is reported."""

    item: Node


Node = Char | At | Seq | Alt | Repeat | Capture


Spelling = Literal["rot13", "leet"]
"""How a pattern's letters may be written instead: thirteen places on in the alphabet, or with digits and signs that look
like them."""


def read(
    pattern: str, *, ignore_case: bool = False, folded: bool = True, spelling: Spelling | None = None
) -> tuple[Node, int]:
    """A pattern's tree, and its flags as `re` has them. Raises PatternError."""
    try:
        tree = _parser.parse(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        problem = getattr(error, "msg", str(error))
        raise PatternError(f"the pattern can't be read: {problem}", hint=_position(error)) from None
    flags: int = tree.state.flags
    return _Reader(flags, folded=folded, spelling=spelling).sequence(tree), flags


def _position(error: Exception) -> str:
    position = getattr(error, "pos", None)
    return f"at character {position} of the pattern" if position is not None else ""


class _Reader:
    """The parser's tree → ours, with the pattern's own letters folded as the text will be."""

    def __init__(self, flags: int, *, folded: bool, spelling: Spelling | None) -> None:
        self._dot_all = bool(flags & re.DOTALL)
        self._folded = folded
        self._spelling = spelling

    def sequence(self, tree: Any) -> Node:
        items = [self._node(op, value) for op, value in tree]
        return items[0] if len(items) == 1 else Seq(tuple(items))

    def _node(self, op: Any, value: Any) -> Node:
        name = str(op)
        if name in _UNSUPPORTED:
            raise PatternError(
                f"the pattern uses {_UNSUPPORTED[name]}, which can't be matched in linear time",
                hint="match the surroundings too and put the part to report in one (…) group",
            )
        if op is sre.LITERAL:
            return _literal(value, self._folded, self._spelling)
        if op is sre.NOT_LITERAL:
            return self._set([(sre.NEGATE, None), (sre.LITERAL, value)])
        if op is sre.ANY:
            return Char("(?s:.)" if self._dot_all else r"[^\n]", ascii=False)
        if op is sre.IN:
            return self._set(value)
        if op is sre.BRANCH:
            return Alt(tuple(self.sequence(branch) for branch in value[1]))
        if op is sre.SUBPATTERN:
            return self._group(*value)
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            low, high, item = value
            return Repeat(self.sequence(item), low, None if high is sre.MAXREPEAT else high)
        if op is sre.AT:
            return At(_ASSERTIONS[str(value)])
        raise PatternError(f"the pattern uses {name.lower()}, which is not supported")

    def _group(self, group: int | None, add: int, remove: int, item: Any) -> Node:
        if add or remove:
            raise PatternError(
                "the pattern sets flags for a part of itself", hint="set them for the whole, as (?i) at its start"
            )
        inner = self.sequence(item)
        return Capture(inner) if group is not None else inner

    def _set(self, items: list[tuple[Any, Any]]) -> Node:
        negated = items[0][0] is sre.NEGATE
        parts: list[str] = []
        plain = True
        words: set[bool | None] = set()
        if self._spelling == "rot13":
            items = [turned for item in items for turned in _turned(*item)]
        for op, value in items[1:] if negated else items:
            if op is sre.LITERAL:
                text = (fold(chr(value)) if self._folded else "") or chr(value)
                parts.extend(_escape(ord(c)) for c in text)
                plain = plain and text.isascii()
                words |= {_is_word(c) for c in text}
            elif op is sre.RANGE:
                parts.extend(self._range(*value))
                plain = plain and value[1] < 0x80
                few = range(value[0], min(value[1], value[0] + _FOLDED_RANGE_LIMIT) + 1)
                words |= {_is_word(chr(code)) for code in few} if plain else {None}
            else:
                text = _CATEGORIES[str(value)]
                if text.startswith("^") and (negated or len(items) > 1):
                    raise PatternError(
                        "the pattern mixes a negated class such as \\D into a set", hint="write the characters out"
                    )
                if text.startswith("^"):
                    return Char(f"[{text}]", ascii=False, word=False if "\\p" in text else None)
                parts.append(text)
                plain = plain and "\\p" not in text
                words.add(text != _CATEGORIES["CATEGORY_SPACE"])
        word = words.pop() if len(words) == 1 and not negated else None
        return Char(f"[{'^' if negated else ''}{''.join(parts)}]", ascii=plain and not negated, word=word)

    def _range(self, low: int, high: int) -> list[str]:
        parts = [f"{_escape(low)}-{_escape(high)}"]
        if self._folded and high >= 0x80 and high - low <= _FOLDED_RANGE_LIMIT:
            images = {c for code in range(low, high + 1) for c in fold(chr(code)) if not low <= ord(c) <= high}
            parts.extend(_escape(ord(c)) for c in sorted(images))
        return parts


@lru_cache(maxsize=1024)
def _literal(code: int, folded: bool, spelling: Spelling | None) -> Node:
    text = fold(chr(code)) if folded else chr(code)
    if spelling == "rot13":
        text = text.translate(_ROT13)
    chars = tuple(
        Char(f"[{_escape(ord(c))}{_LEET[c.lower()]}]", ascii=True)
        if spelling == "leet" and c.lower() in _LEET
        else Char(_escape(ord(c)), ascii=c.isascii(), word=_is_word(c))
        for c in text
    )
    return chars[0] if len(chars) == 1 else Seq(chars)


_ROT13 = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"
)

_LEET = {"a": "4@", "b": "8", "e": "3", "g": "69", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7+", "z": "2"}
"""What is written for a letter, inside a class."""


def _turned(op: Any, value: Any) -> list[tuple[Any, Any]]:
    """A part of a class, its letters thirteen places on."""
    if op is sre.LITERAL:
        return [(op, ord(chr(value).translate(_ROT13)))]
    if op is not sre.RANGE:
        return [(op, value)]
    plain = range(value[0], min(value[1], 0x7F) + 1)
    turned = [(sre.LITERAL, ord(chr(code).translate(_ROT13))) for code in plain]
    return turned if value[1] < 0x80 else [*turned, (op, (max(value[0], 0x80), value[1]))]


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _escape(code: int) -> str:
    char = chr(code)
    if char.isascii() and (char.isalnum() or char in " _"):
        return char
    return f"\\x{{{code:x}}}"
