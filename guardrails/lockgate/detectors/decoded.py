r"""What a text says in another form, for detectors that read language: a model does not decode base64 for itself.

`readings` takes a unit of a text (some hundred characters) and gives what is written in it in code or out of sight, where
that is natural language again: encodings, ciphers, letters set apart, signs for letters, what mark-up hides. It depends
on the unit alone, so a stream is read as the whole is; a run that is longer than a unit is read in its parts.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote_plus

from lockgate.detectors.letters import LEAST, deciphered, likely, odd
from lockgate.detectors.remembered import Remembered, mark_of
from lockgate.normalise import fold

DEPTH = 2
"""How many disguises deep a text is read."""
LONGEST = 480
"""Characters of a reading: what is longer is given in parts. As long as a unit."""

_SILENT = Remembered[None](16_384)
"""Texts that say nothing else."""
_UNSIGNED = Remembered[None](16_384)
"""Texts without signs."""
_LETTERS = 0.7  # of what is natural language, this share is letters and spaces
_SHORTEST = 8


def readings(text: str, depth: int = DEPTH, among: Signs | None = None) -> list[str]:
    """What else `text` says, each once. Empty for nearly every text. `among`: the signs of a text that this is part of."""
    first = depth == DEPTH and among is None
    mark = mark_of(text) if first else b""
    if first and mark in _SILENT:
        return []
    found: dict[str, None] = {}
    plain = text.strip()
    for said, opened in _said(text, among):
        if said in found or said == plain:
            continue
        if natural(said):
            found[said] = None
        if depth > 1 and opened:
            found |= dict.fromkeys(readings(said, depth - 1))
    found.pop(plain, None)
    if first and not found:
        _SILENT.keep(mark, None)
    return [part for said in found for part in _parts(said)]


def signs(text: str) -> Signs:
    """By which views some part of `text` may say something else: of ordinary prose there are none."""
    mark = mark_of(text)
    if mark in _UNSIGNED:
        return _NO_SIGNS
    there = frozenset(text)
    found = [i for i, view in enumerate(_VIEWS) if view.here(there) and (view.anywhere or view.marked.search)(text)]
    said = Signs(frozenset(found), odd(fold(text)))
    if said == _NO_SIGNS:
        _UNSIGNED.keep(mark, None)
    return said


def _parts(text: str) -> list[str]:
    return [text[at : at + LONGEST] for at in range(0, len(text), LONGEST)]


def natural(text: str) -> bool:
    """Whether `text` looks like language: mostly letters and spaces."""
    if len(text) < _SHORTEST:
        return False
    count = sum(map(str.isalpha, text)) + text.count(" ")
    return count >= _LETTERS * len(text) and (" " in text.strip() or not text.isascii())


def _said(text: str, among: Signs | None) -> Iterator[tuple[str, bool]]:
    """What each view says, and whether it was opened, so that something else may be in it."""
    there = frozenset(text) if among is None else frozenset()
    for i, view in enumerate(_VIEWS):
        wanted = view.here(there) if among is None else i in among.views
        if wanted and view.marked.search(text) is not None and (said := view.read(text).strip()):
            yield said, view.opens
    if among is None or among.odd:
        yield from ((said, False) for _, said in deciphered(fold(text)))


_RUN = re.compile(r"[A-Za-z0-9+/_-]{11,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*={0,2}")
_CODED = re.compile(r".[a-z/+]*[A-Z0-9]")
_URL_SAFE = str.maketrans("-_", "+/", "\r\n")
_READABLE = re.compile(rb"[\t\n\r -~]{6,}")


def _text_of(data: bytes) -> str:
    """What bytes say: UTF-8, UTF-16, or the longest stretch that can be read; empty for noise."""
    if b"\0" in data:
        for codec in ("utf-16-le", "utf-16-be"):
            said = data[: len(data) // 2 * 2].decode(codec, "replace")
            if sum(char.isascii() and char.isprintable() for char in said) > 0.8 * len(said):
                return said
        return ""
    try:
        said = data.decode()
    except UnicodeDecodeError:
        stretch = max(_READABLE.findall(data), key=len, default=b"")
        return stretch.decode("ascii") if len(stretch) >= 0.6 * len(data) else _utf8(data)
    printable = sum(char.isprintable() or char in "\t\n\r" for char in said)
    return said if printable >= 0.9 * len(said) else ""


def _utf8(data: bytes) -> str:
    """Text that is cut within a character at its ends."""
    said = data.decode("utf-8", "ignore")
    return said if len(said.encode()) >= len(data) - 6 and natural(said) else ""


def _base64(text: str) -> str:
    return " ".join(filter(None, map(_base64_run, _RUN.findall(text))))


def _base64_run(run: str) -> str:
    """A run in either alphabet, from whichever of the four places it begins at: a border may have cut it."""
    plain = run.translate(_URL_SAFE).rstrip("=")
    if _CODED.search(plain) is None:
        return ""  # a word
    for begin in range(4):
        length = len(plain) - begin
        length -= length % 4 == 1
        said = _text_of(binascii.a2b_base64(plain[begin : begin + length] + "=" * (-length % 4)))
        if natural(said) or (len(said) >= LEAST // 2 and (_ENCODED.search(said) or natural(said.replace("_", " ")))):
            return said
    return ""


_ENCODED = re.compile(r"[A-Za-z0-9+/]{11,}={0,2}\Z|(?:%[0-9A-Fa-f]{2}){4}")
"""What may be another layer."""
_BASE32 = re.compile(r"(?<![A-Za-z0-9])[A-Z2-7]{16,}={0,6}")


def _base32(text: str) -> str:
    said = []
    for run in _BASE32.findall(text):
        plain = run.rstrip("=")
        plain = plain[: len(plain) - (len(plain) % 8 in (1, 3, 6))]
        said.append(_text_of(base64.b32decode(plain + "=" * (-len(plain) % 8))))
    return " ".join(filter(None, said))


_HEX = re.compile(r"(?:(?:0x|\\x|%)?[0-9A-Fa-f]{2}(?:, ?|[ :-])?){8,}")
_NOT_HEX = re.compile(r"0x|\\x|[^0-9A-Fa-f]")


def _hex(text: str) -> str:
    said = []
    for run in _HEX.findall(text):
        digits = _NOT_HEX.sub("", run)
        for begin in (0, 1):
            whole = digits[begin : begin + (len(digits) - begin) // 2 * 2]
            if natural(part := _text_of(bytes.fromhex(whole))) or _ENCODED.search(part):
                said.append(part)
                break
    return " ".join(said)


_BITS = re.compile(r"(?:[01]{8}[ ,]?){6,}")


def _bits(text: str) -> str:
    said = []
    for run in _BITS.findall(text):
        digits = re.sub("[^01]", "", run)
        said.append(_text_of(int(digits, 2).to_bytes(len(digits) // 8, "big")))
    return " ".join(said)


_CODES = re.compile(r"(?:\b(?:3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-6])\b[ ,;]{1,2}){8,}(?:[0-9]{2,3}\b)?")


def _codes(text: str) -> str:
    return " ".join("".join(chr(int(n)) for n in re.findall("[0-9]+", run)) for run in _CODES.findall(text))


_TAGS = re.compile("[\U000e0020-\U000e007e]+")


def _tags(text: str) -> str:
    return "".join(chr(ord(char) - 0xE0000) for run in _TAGS.findall(text) for char in run)


_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[ ._*|/·-]{1,3}[^\W_](?![^\W_])){5,}")


def _spaced(text: str) -> str:
    """Letters set apart, each run as words: wider gaps stand between them."""
    return " ".join(_closed(run) for run in _SPACED.findall(text)) + " "


def _closed(run: str) -> str:
    gaps = re.split(r"[^\W_]", run)[1:-1]
    usual = max(dict.fromkeys(gaps), key=gaps.count)
    letters = re.findall(r"[^\W_]", run)
    if all(gap == usual for gap in gaps):
        return "".join(letters) + " ."  # where words end can't be seen: the space makes it a text
    ends = ["" if gap == usual else " " for gap in gaps]
    return "".join(letter + end for letter, end in zip(letters, [*ends, ""], strict=True))


_LEET = re.compile(r"\b[A-Za-z]+[0134578@$!|][A-Za-z]|(?<![\w.])[0134578@$!][A-Za-z]{2,}")
_TOKEN = re.compile(r"[A-Za-z0-9@$!|]*(?:[A-Za-z][0134578@$!|]|[0134578@$!|][A-Za-z])[A-Za-z0-9@$!|]*")
_SIGNS = str.maketrans("0134578@$!|", "oleastbasil")
_OTHER_SIGNS = str.maketrans("0134578@$!|", "oieastbasii")


def _leet(text: str) -> str:
    """Digits and signs for letters, where that makes words of them."""
    better = 0

    def word(found: re.Match[str]) -> str:
        nonlocal better
        token = found.group()
        said = max((token.translate(_OTHER_SIGNS), token.translate(_SIGNS)), key=likely)
        if len(said) < 3 or likely(said) < 4.8:
            return token
        better += 1
        return said

    said = _TOKEN.sub(word, text)
    said = re.sub(r"\b4(?= )", "a", said) if better else said
    return said if better >= 2 else ""


_BETWEEN = re.compile("[-._*~|/\\\\+^>\\])\u00b7](?=[A-Za-z])")
_INNER = re.compile(r"(?<=[A-Za-z])(?:[-._*~|/\\+^]|</?[a-z]{1,8}>|\[\]|\(\)|\u00b7)+(?=[A-Za-z])")


def _rejoined(text: str) -> str:
    """Words with something between their letters, where they read no worse without it."""
    said, count = _INNER.subn("", text)
    return said if count >= 3 and likely(said) >= likely(text) - 0.12 else ""


_SHORT_WORDS = re.compile(r"(?:\b[A-Za-z]{1,4}[ ]){7,}[A-Za-z]{1,5}\b")


def _unspaced(text: str) -> str:
    """Words in pieces: what is left when no space is, if the pieces are no words."""
    said = []
    for run in _SHORT_WORDS.findall(text):
        words = run.split()
        if sum(word.lower() in _COMMON for word in words) <= 0.4 * len(words):
            said.append("".join(words) + " .")
    return " ".join(said)


_COMMON = frozenset(
    ["a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "for", "from", "get", "go", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "is", "it", "its", "me", "my", "no", "not", "now", "of", "off", "on", "one", "or", "our", "out", "say", "she", "so", "than", "that", "the", "them", "then", "they", "this", "to", "too", "two", "up", "us", "was", "we", "were", "what", "when", "who", "why", "will", "with", "you", "your", "yes", "new", "use", "see", "some", "any", "all", "like", "just", "more", "make", "take", "time", "only", "over", "very", "also", "into", "it's"]
)  # fmt: skip


_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}[^\s%]{0,12}){3,}")
_PERCENTED = re.compile(r"[^\s]*%[0-9A-Fa-f]{2}[^\s]*")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_MARKUP = re.compile(r"<[!a-zA-Z/]|\]\(|\]:\s|\[//\]")
_CLOSED = re.compile(r"<!--|</[A-Za-z]")
_TAG = re.compile(r"<!--|-->|</?[A-Za-z][^<>]{0,300}>|&nbsp;")
_UNSEEN = (
    re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL),
    re.compile(
        r"<([a-z0-9]+)\b[^<>]*(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d]*[1-9])"
        r"|\bhidden\b|color\s*:\s*(?:white|#fff|transparent))[^<>]*>(.*?)(?:</\1>|\Z)",
        re.DOTALL | re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:alt|title|aria-[a-z]+|content|placeholder|value|summary|label|data-[a-z-]+)\s*=\s*\"([^\"]+)\""
        r"|\b(?:alt|title|aria-[a-z]+|content|placeholder|value|summary|label|data-[a-z-]+)\s*=\s*'([^']+)'",
        re.IGNORECASE,
    ),
    re.compile(r"!\[([^\]]+)\]"),
    re.compile(r"\]\(\S*\s+[\"'(](.+?)[\"')]\)"),
    re.compile(r"^\s{0,3}\[[^\]]+\]:\s*\S+\s+[\"'(](.+?)[\"')]?\s*$", re.MULTILINE),
)
"""Comments, elements that are not shown, attributes, images' texts, links' titles, reference definitions."""


def _hidden(text: str) -> str:
    """What mark-up holds that a reader does not see."""
    said = [found.group(found.lastindex or 1) or "" for form in _UNSEEN for found in form.finditer(text)]
    return "\n".join(dict.fromkeys(part.strip() for part in said if natural(part.strip())))


_DIGITS = frozenset("0123456789")
_CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_EVERY = frozenset[str]()
_DIGITS = frozenset("0123456789")
_CAPITALS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class View(NamedTuple):
    """What shows that a text may say something in this form, and how that is read. `anywhere` tells of a long text whether
    any part of it, wherever it is cut, may be `marked`; without it, `marked` does. `needed`: characters of which one is
    there then; any, where none is named. `opens`: something else may be in what is read."""

    marked: re.Pattern[str]
    read: Callable[[str], str]
    needed: frozenset[str] = frozenset()
    anywhere: Callable[[str], object] | None = None
    opens: bool = True

    def here(self, there: frozenset[str]) -> bool:
        return not self.needed or not there.isdisjoint(self.needed)


class Signs(NamedTuple):
    """Numbers of the views that may read something in a part of a text, and whether a cipher may."""

    views: frozenset[int]
    odd: bool


_NO_SIGNS = Signs(frozenset(), odd=False)
_ANY_CODES = re.compile(r"(?:(?:3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-6])\b[ ,;]{1,2}){8,}")
_ANY_SPACED = re.compile(r"[^\W_](?:[ ._*|/·-]{1,3}[^\W_](?![^\W_])){4,}[ ._*|/·-]{1,3}[^\W_]")
_ANY_LEET = re.compile(r"[A-Za-z][0134578@$!|][A-Za-z]|[0134578@$!][A-Za-z]{2,}")
_ANY_SHORT_WORDS = re.compile(r"[A-Za-z]{1,4} (?:[A-Za-z]{1,4} ){6,}[A-Za-z]{1,5}")


def _in_words(text: str) -> bool:
    """Whether something stands between the letters of words three times."""
    return _BETWEEN.search(text) is not None and len(_INNER.findall(text)) >= 3


def _in_pieces(text: str) -> bool:
    """Whether eight short words side by side, one of them perhaps cut, are few common ones."""
    for run in _ANY_SHORT_WORDS.findall(text):
        known = [word.lower() in _COMMON for word in run.split()]
        if any(sum(known[i : i + 8]) <= 4 for i in range(len(known) - 7)):
            return True
    return False


_VIEWS = (
    View(
        _RUN, _base64, anywhere=lambda text: any(_CODED.search(run.translate(_URL_SAFE)) for run in _RUN.findall(text))
    ),
    View(_BASE32, _base32, _DIGITS | _CAPITALS, re.compile("[A-Z2-7]{16}").search),
    View(_HEX, _hex, _DIGITS),  # readable bytes have one in their first half
    View(_BITS, _bits, _DIGITS),
    View(_CODES, _codes, _DIGITS, _ANY_CODES.search),
    View(_TAGS, _tags, frozenset(map(chr, range(0xE0020, 0xE007F)))),
    View(_PERCENT, lambda text: " ".join(map(unquote_plus, _PERCENTED.findall(text))), frozenset("%")),
    View(_ENTITY, lambda text: unescape(text) if len(_ENTITY.findall(text)) >= 3 else "", frozenset("&")),
    View(_MARKUP, _hidden, frozenset("<]")),
    View(_SPACED, _spaced, anywhere=_ANY_SPACED.search, opens=False),
    View(_LEET, _leet, frozenset("0134578@$!|"), _ANY_LEET.search, opens=False),
    View(_BETWEEN, _rejoined, anywhere=_in_words, opens=False),
    View(_SHORT_WORDS, _unspaced, anywhere=_in_pieces, opens=False),
    View(_CLOSED, lambda text: _TAG.sub("", text), frozenset("<"), opens=False),
)
