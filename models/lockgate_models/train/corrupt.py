"""Makes a sentence wrong, and says where: the mistakes that answers make most, in a way that can't be told from the
sentence alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w])")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w'\u2019-]+(?: (?:of |the |de |van )?[A-Z][\w'\u2019-]+)*")
_CIRCLES = [
    line.split()
    for line in (
        "January February March April May June July August September October November December",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "two three four five six seven eight nine ten twelve twenty thirty fifty hundred thousand million billion",
        "first second third fourth fifth",
        "north south east west",
    )
]
_TURNED = {
    a: b
    for pair in (
        "increased decreased", "increase decrease", "rose fell", "higher lower", "more fewer", "before after",
        "largest smallest", "larger smaller", "longer shorter", "oldest youngest", "older younger", "first last",
        "best worst", "early late", "earlier later", "won lost", "accepted rejected", "allowed forbidden",
        "always never", "all some", "may will", "could would", "most few", "many few", "above below", "older newer",
        "opened closed", "began ended", "started finished", "joined left", "bought sold", "born died", "father mother",
        "brother sister", "husband wife", "son daughter", "north south", "eastern western", "northern southern",
        "winter summer", "morning evening", "public private", "male female", "hot cold", "strong weak", "rich poor",
        "mother father", "including excluding", "with without", "supported opposed", "left right", "cheap expensive",
        "only also", "both neither", "often rarely", "usually never", "success failure", "positive negative",
    )
    for a, b in (pair.split(), pair.split()[::-1])
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z]+")
_STOP = re.compile(r",? (?:and|by|in|at|on|with|from|for|because|after|before|while|which|where|who|but|until|to) ")
_IS = re.compile(r"\b(is|are|was|were|has|have|had|can|could|will|would|does|did|do)\b(?! not\b|n't)")
_NOT = re.compile(r"\b(is|are|was|were|has|have|had|can|could|will|would|does|did|do) not\b")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A sentence that is not supported any more, and [start, end) of what makes it so."""

    text: str
    start: int
    end: int


Way = Callable[[str, Sequence[str], random.Random], Wrong | None]


def corrupted(sentence: str, others: Sequence[str], draw: random.Random) -> Wrong | None:
    """One thing of a sentence changed; None where nothing can be. `others`: sentences from which names may come."""
    ways: list[Way] = [_number, _name, _turned, _circled, _denied]
    draw.shuffle(ways)
    for way in ways:
        if (found := way(sentence, others, draw)) is not None and found.text != sentence:
            return found
    return None


def widened(sentence: str, other: str, draw: random.Random) -> Wrong | None:
    """A detail from elsewhere, added to a sentence."""
    words = other.rstrip(".!?").split()
    if len(words) < 5 or not sentence.endswith("."):
        return None
    tail = " ".join(words[-draw.randrange(4, min(10, len(words)) + 1) :]) if len(words) > 5 else " ".join(words)
    joint = draw.choice((", and ", ", because ", ", which ", " and ", ", although ", "; "))
    stem = sentence[:-1]
    return Wrong(f"{stem}{joint}{tail}.", len(stem), len(stem) + len(joint) + len(tail))


def shortened(sentence: str, draw: random.Random) -> str | None:
    """A sentence without its end, which says no more than it did; None where it has no place to stop."""
    stops = [mark.start() for mark in _STOP.finditer(sentence) if len(sentence[: mark.start()].split()) >= 4]
    return f"{sentence[: draw.choice(stops)]}." if stops else None


def _put(sentence: str, start: int, end: int, new: str) -> Wrong:
    return Wrong(sentence[:start] + new + sentence[end:], start, start + len(new))


def _number(sentence: str, _: Sequence[str], draw: random.Random) -> Wrong | None:
    marks = list(_NUMBER.finditer(sentence))
    if not marks:
        return None
    mark = draw.choice(marks)
    digits = list(mark[0])
    at = draw.choice([i for i, digit in enumerate(digits) if digit.isdigit()])
    least = 1 if at == 0 and len(digits) > 1 else 0
    digits[at] = draw.choice([str(n) for n in range(least, 10) if str(n) != digits[at]])
    return _put(sentence, *mark.span(), "".join(digits))


def _name(sentence: str, others: Sequence[str], draw: random.Random) -> Wrong | None:
    marks = list(_NAME.finditer(sentence))
    theirs = [name for other in others for name in _NAME.findall(other) if name not in sentence]
    if not marks or not theirs:
        return None
    mark = draw.choice(marks)
    return _put(sentence, *mark.span(), draw.choice(theirs))


def _turned(sentence: str, _: Sequence[str], draw: random.Random) -> Wrong | None:
    marks = [mark for mark in _WORD.finditer(sentence) if mark[0].lower() in _TURNED]
    if not marks:
        return None
    mark = draw.choice(marks)
    new = _TURNED[mark[0].lower()]
    return _put(sentence, *mark.span(), new.capitalize() if mark[0][0].isupper() else new)


def _circled(sentence: str, _: Sequence[str], draw: random.Random) -> Wrong | None:
    known = {word: circle for circle in _CIRCLES for word in circle}
    marks = [mark for mark in _WORD.finditer(sentence) if mark[0] in known]
    if not marks:
        return None
    mark = draw.choice(marks)
    return _put(sentence, *mark.span(), draw.choice([word for word in known[mark[0]] if word != mark[0]]))


def _denied(sentence: str, _: Sequence[str], draw: random.Random) -> Wrong | None:
    if (mark := _NOT.search(sentence)) is not None:
        return _put(sentence, *mark.span(), mark[1])
    marks = list(_IS.finditer(sentence))
    if not marks:
        return None
    mark = draw.choice(marks)
    return _put(sentence, *mark.span(), f"{mark[0]} not")
