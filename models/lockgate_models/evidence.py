"""What a sentence of an answer may rest on: the parts of a context that are likeliest to speak of it, and its figures.

Pure text. A context is cut into pieces; for a sentence the nearest pieces are packed, in the order in which they stand,
into what a pair encoder can read at once.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

LONGEST = 300
"""Characters of a piece, about."""
BUDGET = 600
"""Characters of a pack: what fits before a sentence, most of the time."""
ASKED = 160
"""Characters of a question, its last ones."""

_BREAK = re.compile(r"\n+|(?<=[.!?;\u3002\uff01\uff1f])[\"'\u201d\u2019)\]]*\s+")
_WORD = re.compile(r"\w+")
_FIGURE = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:[,.\u00a0\u202f' ]\d{3})+|\d+)(?:[.,]\d+)?(?![\d])")
_STEM = 6
_NEXT = 0.4  # a sentence behind the likeliest one often goes on about it
_WORDS = {
    word: value
    for value, words in enumerate(
        (
            "zero no none null", "one first once single eins une uno", "two second twice both pair zwei deux dos",
            "three third drei trois tres", "four fourth vier quatre cuatro", "five fifth fünf cinq cinco",
            "six sixth sechs seis", "seven seventh sieben sept siete", "eight eighth acht huit ocho",
            "nine ninth neun neuf nueve", "ten tenth zehn dix diez", "eleven eleventh elf onze once",
            "twelve twelfth dozen zwölf douze doce",
        )
    )
    for word in words.split()
}  # fmt: skip


def pieces(context: str) -> list[str]:
    """A context's sentences and lines; long ones are cut at a space."""
    found: list[str] = []
    for part in _BREAK.split(context):
        rest = part.strip()
        while len(rest) > LONGEST:
            cut = rest.rfind(" ", LONGEST // 2, LONGEST)
            cut = cut if cut > 0 else LONGEST
            found.append(rest[:cut].strip())
            rest = rest[cut:].strip()
        if rest:
            found.append(rest)
    return found


def likeness(parts: Sequence[str], sentence: str) -> list[float]:
    """How many of a sentence's words each part has, rare words counting more: 0 to 1."""
    own = [_stems(part) for part in parts]
    held = Counter(stem for stems in own for stem in stems)
    weight = {stem: math.log(1 + len(parts) / held[stem]) for stem in _stems(sentence) if stem in held}
    whole = sum(weight.values()) or 1.0
    return [sum(weight[stem] for stem in stems & weight.keys()) / whole for stems in own]


def packs(
    parts: Sequence[str], sentence: str, *, near: Sequence[float] | None = None, budget: int = BUDGET, most: int = 1
) -> list[str]:
    """The likeliest parts, at most `most` packs of `budget` characters, likeliest pack first. `near`: how alike each
    part and the sentence are by another measure, 0 to 1, which counts as much as their words. No parts, no packs."""
    if sum(map(len, parts)) + len(parts) <= budget:
        return ["\n".join(parts)] if parts else []
    alike = likeness(parts, sentence)
    if near is not None:
        alike = [mine + other for mine, other in zip(alike, near, strict=True)]
    ranks = [max(mine, _NEXT * before) for mine, before in zip(alike, [0.0, *alike], strict=False)]
    order = sorted(range(len(parts)), key=lambda i: (-ranks[i], i))
    made: list[str] = []
    while order and len(made) < most:
        chosen: list[int] = []
        size = 0
        for i in list(order):
            if chosen and size + len(parts[i]) + 1 > budget:
                continue
            chosen.append(i)
            size += len(parts[i]) + 1
            order.remove(i)
            if size + 20 > budget:
                break
        made.append("\n".join(parts[i] for i in sorted(chosen)))
    return made


def strange_figures(sentence: str, known: Collection[str]) -> Iterator[tuple[int, int]]:
    """Where a sentence has numbers that are not among the `known` (`figures`). Those that number a line are none."""
    for mark in _FIGURE.finditer(sentence):
        behind = sentence[mark.end() : mark.end() + 1]
        if not sentence[: mark.start()].strip(" *#-(\n") and behind in {".", ")", ":"}:
            continue
        if _value(mark[0]).isdisjoint(known):
            yield mark.span()


def figures(context: str) -> set[str]:
    """All numbers of a context, written in digits or, up to twelve, in words, in every way in which they can be read."""
    found = {value for mark in _FIGURE.finditer(context) for value in _value(mark[0])}
    found |= {str(_WORDS[word]) for word in _WORD.findall(context.lower()) if word in _WORDS}
    return found


def _value(figure: str) -> set[str]:
    """A comma groups digits or parts off decimals: both ways of reading are given where both can be meant."""
    plain = re.sub(r"[\u00a0\u202f' ]", "", figure)
    ways = {plain.replace(",", ""), plain.replace(".", "").replace(",", "."), plain.replace(",", ".")}
    return {_trimmed(way) for way in ways if way.count(".") <= 1}


def _trimmed(number: str) -> str:
    whole, dot, part = number.partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (dot + part if part else "")


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _WORD.findall(text.lower()) if len(word) > 2 or word.isdigit()}


def premise(pack: str, question: str = "") -> str:
    """What stands before a sentence when it is judged: the evidence, and what was asked, if that is known."""
    asked = " ".join(question.split())
    return f"{pack}\nQuestion: {asked[-ASKED:]}" if asked else pack
