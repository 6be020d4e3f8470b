r"""Derived views: values that stand in a text in disguise, and are read as if they stood there plainly.

Most are rows like any other (`PatternSpec.expand`): what they match is decoded, the rows that ask for the view are run
over the result, and their findings are mapped back. A decoded text may hold another disguise: two deep. ROT13 and leet
are the other way round: the rows themselves are spelt so (`regex_tree.py`), which needs no decoding.

What says nothing that can be read (a picture, a hash, a name) costs little and gives nothing.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

from lockgate.detectors.protocol import Derived, Expand, PatternSpec, Spans, Validate
from lockgate.detectors.regex_tree import Spelling

DEPTH = 2
"""How many disguises deep a text is read."""

Decoded = Literal["spaced", "tags", "base64", "hex", "url", "html"]
View = Literal["spaced", "tags", "base64", "hex", "url", "html", "rot13", "leet"]

Views = tuple[View, ...]
"""What a policy says: the views in which a detector's rows are looked for."""

ENCODED: tuple[Decoded, ...] = ("spaced", "tags", "base64", "hex", "url", "html")
"""The views of what has a form of its own, by which a value is known wherever it is decoded."""

SPELLINGS: frozenset[Spelling] = frozenset({"rot13", "leet"})
"""The views in which the rows are spelt otherwise, not the text decoded."""

PLAIN: tuple[Decoded, ...] = ("spaced", "tags")
"""The views that hold back next to nothing of a stream."""

LONGEST = 2000
"""Characters of a run, and of a text with escapes in it."""

SHORTEST = 128
"""Where a stream may not hold even so many, a match is too wide and says so."""

_LED = 24  # characters that may stand before the first escape


def seen_in(specs: Iterable[PatternSpec], views: Sequence[View]) -> tuple[PatternSpec, ...]:
    """The rows, to be looked for in these views."""
    wanted = frozenset(views)
    return tuple(spec if spec.views == wanted else replace(spec, views=wanted) for spec in specs)


_EVERY_SECOND = re.compile(r"[^ ](?: [^ ])+")


def _collapse(text: str) -> Derived:
    """Turn "s e c r e t  w o r d" into "secret word": single separators vanish, wider ones become a space. Where every
    character has one space before it, punctuation is the value's own: "a @ b . c" is "a@b.c"."""
    if _EVERY_SECOND.fullmatch(text) and not text[::2].isalnum():
        return Derived(text[::2], range(0, len(text), 2))
    out: list[str] = []
    at: list[int] = []
    gap = 0
    for i, char in enumerate(text):
        if char.isalnum():
            if gap > 1:
                out.append(" ")
                at.append(i - 1)
            out.append(char)
            at.append(i)
            gap = 0
        else:
            gap += 1
    return Derived("".join(out), at)


def _untag(text: str) -> Derived:
    """Tag characters → the ASCII text that they spell, unseen."""
    return Derived("".join(chr(ord(char) - 0xE0000) for char in text), range(len(text)))


_READABLE = re.compile(rb"[\t\n\r -~]{8,}")
_UNREADABLE = re.compile(rb"[^\t\n\r -~]")
_STRANGE = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\uf900-\ufffc\U00010000-\U0003ffff]")
_STRANGE_SHARE = 0.1


def _read(data: bytes) -> tuple[str, int]:
    """What bytes say, one character a byte, and how much of it can be read: 0 for none. Text that is not ASCII has more
    bytes than characters: what is left of a character is told by NUL, which folding drops."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        stretches = [len(found) for found in _READABLE.findall(data)]
        return (_UNREADABLE.sub(b"\n", data).decode("ascii"), max(stretches)) if stretches else ("", 0)
    if len(text) == len(data):
        found = _READABLE.search(data)
        return (text, len(data)) if found is not None and len(_UNREADABLE.findall(data)) <= len(data) // 10 else ("", 0)
    if len(_STRANGE.findall(text)) > _STRANGE_SHARE * len(text):
        return "", 0
    return "".join(char + "\0" * (len(char.encode()) - 1) for char in text), len(data)


_CAPITAL_OR_DIGIT = re.compile(r".[a-z_-]*[A-Z0-9+/]")
_URL_SAFE = str.maketrans("-_", "+/")


def _base64(text: str) -> Derived | None:
    """Base64 in both alphabets. What stands before it in the run (the rest of a path) may have moved it by some
    characters, so that all four places to begin are tried."""
    run = text.rstrip("=")
    if not _CAPITAL_OR_DIGIT.match(run):
        return None  # a word
    plain = run.translate(_URL_SAFE)
    best, most, first = "", 0, 0
    for begin in range(4):
        length = len(plain) - begin
        length -= length % 4 == 1
        data = binascii.a2b_base64(plain[begin : begin + length] + "=" * (-length % 4))
        said, readable = _read(data)
        if readable > most:
            best, most, first = said, readable, begin
        if readable == len(data):
            break
    if not most:
        return None
    starts = [first + i // 3 * 4 for i in range(len(best))]
    ends = [min(start + 4, len(text)) for start in starts]
    if len(text) - ends[-1] <= 2:
        ends = [len(text) if end == ends[-1] else end for end in ends]  # the padding goes with what it pads
    return Derived(best, starts, ends)


def _hex(text: str) -> Derived | None:
    """Hexadecimal digits, two a character."""
    best, most, first = "", 0, 0
    for begin in range(2):
        length = (len(text) - begin) // 2 * 2
        said, readable = _read(bytes.fromhex(text[begin : begin + length]))
        if readable > most:
            best, most, first = said, readable, begin
    starts = range(first, first + 2 * len(best), 2)
    return Derived(best, starts, range(first + 2, first + 2 * len(best) + 2, 2)) if most else None


def _escapes(token: str, decode: Callable[[list[str]], list[str]]) -> Callable[[str], Derived]:
    """A reader of text with escapes in it. `decode` takes the escapes that stand side by side, and says what each is:
    those of one character give it to the first, and nothing to the others."""
    side_by_side = re.compile(f"(?:{token})+")
    one = re.compile(token)

    def expand(text: str) -> Derived:
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for run in side_by_side.finditer(text):
            low, high = run.span()
            parts.append(text[done:low])
            starts.extend(range(done, low))
            ends.extend(range(done + 1, low + 1))
            escapes = one.findall(run.group())
            for escape, said in zip(escapes, decode(escapes), strict=True):
                if not said:
                    ends[-1] = low + len(escape)
                for char in said:
                    parts.append(char)
                    starts.append(low)
                    ends.append(low + len(escape))
                low += len(escape)
            done = high
        parts.append(text[done:])
        starts.extend(range(done, len(text)))
        ends.extend(range(done + 1, len(text) + 1))
        return Derived("".join(parts), starts, ends)

    return expand


def _bytes(escapes: list[str]) -> list[str]:
    """Escapes that end in two hexadecimal digits, a byte of UTF-8 each."""
    text = bytes(int(escape[-2:], 16) for escape in escapes).decode("utf-8", "surrogateescape")
    said: list[str] = []
    for char in text:
        broken = "\udc80" <= char <= "\udcff"
        said.append("\ufffd" if broken else char)
        said.extend([""] * (0 if broken else len(char.encode()) - 1))
    return said


def _entities(escapes: list[str]) -> list[str]:
    from html import unescape

    return [unescape(escape) or "\ufffd" for escape in escapes]


def _whole(of: str) -> Validate:
    """Accepts a run of these characters that is whole. Of a longer one nothing is read: it is a file or a picture, and
    a stream could not hold it."""
    inside = re.compile(f"[{of}]")

    def validate(text: str, start: int, end: int) -> Spans:
        before, behind = text[max(start - 1, 0) : start], text[end : end + 1]
        return () if inside.match(before) or (inside.match(behind) and text[end - 1] != "=") else ((start, end),)

    return validate


_HEX = "[0-9A-Fa-f]"
_BASE64 = r"A-Za-z0-9+/_\-"
_TAGGED = "[\U000e0020-\U000e007e]"
_ESCAPES = (
    # name, what may stand between, an escape, how escapes are read
    ("hex", r"!#-&(-;=?-\[\]-_a-~", rf"\\x{_HEX}{{2}}", _bytes),
    ("url", r"!#-$&-;=?-\[\]_a-z|~", rf"%{_HEX}{{2}}", _bytes),
    ("html", r"!#-%'-;=?-~", rf"&(?:#[0-9]{{1,7}}|#[xX]{_HEX}{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});", _entities),
)


@lru_cache(maxsize=16)
def views(longest: int) -> tuple[PatternSpec, ...]:
    """The rows of all views, one for each form. A row's label is ``view:`` and the view's name; its match has at most
    `longest` characters."""

    def view(name: str, regex: str, expand: Expand, **more: Any) -> PatternSpec:
        return PatternSpec(f"view:{name}", regex, max_width=longest, expand=expand, shipped=True, **more)

    runs = longest - 2  # with two characters of padding
    spaced = min(62, longest // 4 - 1)
    return (
        view("spaced", rf"\b[A-Za-z0-9](?:(?:[ ._*|/\-]{{1,3}}| [:@+=] )[A-Za-z0-9]){{3,{spaced}}}\b", _collapse),
        view("tags", f"{_TAGGED}{{2,{longest}}}", _untag, view="raw"),
        view("base64", f"[{_BASE64}]{{15,{runs}}}={{0,2}}", _base64, validate=_whole(_BASE64)),
        view("hex", f"{_HEX}{{16,{runs}}}", _hex, validate=_whole(_HEX[1:-1])),
        *(
            # Half as wide: one is held until it is known whether the next begins in it.
            replace(
                view(name, f"[{between}]{{0,{_LED}}}(?:{token})(?:{token}|[{between}])*", _escapes(token, decode)),
                max_width=longest // 2,
            )
            for name, between, token, decode in _ESCAPES
        ),
    )


def name_of(view: PatternSpec) -> str:
    return view.label.removeprefix("view:")
