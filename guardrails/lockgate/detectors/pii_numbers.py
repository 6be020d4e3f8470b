"""The rows of the table of numbers (`pii_table.py`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial

from lockgate.detectors.checks import ESCAPE, closed, opening
from lockgate.detectors.pii_table import IDENTITY, THINGS, Number
from lockgate.detectors.protocol import PatternSpec, Spans
from lockgate.normalise import fold

BEHIND_A_WORD = 0.9
"""The score of a number behind a word that names it."""

_SEPARATORS = " .-/"
_STANDS_FOR = {"d": "[0-9]", "A": "[A-Z]", "x": "[0-9A-Z]"}
_PART = re.compile(r"\[[^\]]*\]|\(\?:|\{[0-9,]+\}|.")
_SPACES = r"[ \t\n:=#\"'.()\[\]*|>]"
AFTER = (
    rf"(?:[ _\-]?(?:number|numero|nummer|numer|num|no|nr|id|code|card)|号码|号|番号|번호){{0,2}}{_SPACES}{{0,8}}"
    r"(?:(?:is|was|ist|est|es|e|er|jest)[ :\"']{1,3})?"
)
"""What may stand between a word and its value, after folding: accents are gone."""


def behind(words: str, form: str) -> str:
    """The regex of `form` behind one of `words`; `value` finds the two again."""
    return f"{ESCAPE}(?:{words}){AFTER}(?:{form})"


def value(words: str, form: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where the value stands in a match of `behind`; None if the word is the end of a longer one, or the value goes on."""
    first = opening(text, start, end)
    if first < 0:
        # A name in code (`user_ssn`), or a script that puts no space between words.
        if text[start - 1] != "_" and text[start].isascii():
            return None
        first = start
    found = _behind(words, form).fullmatch(text, first, end) if closed(text, end) else None
    return found.span(1) if found else None


@cache
def _behind(words: str, form: str) -> re.Pattern[str]:
    return re.compile(fold(f"(?:{words}){AFTER}({form})"), re.IGNORECASE)  # as the rows are


@cache
def specs() -> tuple[PatternSpec, ...]:
    """The rows of all numbers, the same for whoever asks: what two rules look for is compiled once."""
    return tuple(row for number in (*IDENTITY, *THINGS) for row in rows(number))


def rows(number: Number) -> Iterator[PatternSpec]:
    """Behind a word, as it is written, and without separators."""
    label, check = number.label, number.check
    form = regex(number.form, loose=True)
    known = partial(_after_word, number.words, form, number.loose or check)
    yield PatternSpec(label, behind(number.words, form), BEHIND_A_WORD, ignore_case=True, validate=known)
    separators = set(number.form) & set(_SEPARATORS) - set("-" if "[-" in number.form else "")
    written, bare = regex(number.form), regex("".join(_parts(number.form, bare=True)))
    if number.written is not None:
        yield PatternSpec(label, _within(written, separators), number.written, validate=partial(_alone, check, written))
    if number.bare is not None:
        yield PatternSpec(label, _within(bare, set()), number.bare, validate=partial(_alone, check, bare))


def _parts(form: str, *, bare: bool = False) -> list[str]:
    """A form's parts: classes, brackets, characters."""
    return [
        part for part in _PART.findall(form) if not (bare and part in (*_SEPARATORS, *"()"[: 2 * ("(?:" not in form)]))
    ]


def regex(form: str, *, loose: bool = False) -> str:
    """The regex of a form. `loose`: any one separator, or none, where it has one."""
    out, groups = "", 0
    for part in _parts(form):
        if part == "(?:":
            groups += 1
            out += part
        elif part in _SEPARATORS:
            out += r"[ .\-/]?" if loose else re.escape(part)
        elif part in "()" and not groups:
            out += rf"\{part}" + ("?" if loose else "")
        else:
            groups -= part == ")"
            out += _STANDS_FOR.get(part, part)
    return out


def _within(form: str, separators: set[str]) -> str:
    """A form and one more digit joined on either side, which makes it something else."""
    joints = "".join(sorted({re.escape(char) for char in {*separators, ".", "-", "/"}}))
    return ESCAPE + f"(?:[0-9][{joints}])?(?:{form})(?:[{joints}][0-9])?"


@cache
def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(form)


def _alone(check: Callable[[str], bool], form: str, text: str, start: int, end: int) -> Spans:
    first = opening(text, start, end)
    if first < 0 or not closed(text, end) or not _compiled(form).fullmatch(text, first, end):
        return ()
    if (first and text[first - 1] in "-./+#$@~:") or (end < len(text) and text[end] in "-/@%"):
        return ()  # part of a path, a name, a fraction, a telephone number
    return ((first, end),) if check(plain(text[first:end])) else ()


def _after_word(words: str, form: str, check: Callable[[str], bool], text: str, start: int, end: int) -> Spans:
    span = value(words, form, text, start, end)
    return (span,) if span and check(plain(text[span[0] : span[1]])) else ()


def plain(text: str) -> str:
    """Without separators, in capitals."""
    return "".join(char for char in text.upper() if char.isalnum() or char == "&")
