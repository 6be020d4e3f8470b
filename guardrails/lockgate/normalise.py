r"""The text that a detector sees, with a map back to the original.

Folding works character by character, so a stream folds exactly as the whole does, however it is cut:

- compatibility forms are expanded (NFKC: full-width, mathematical, ligatures, circled letters),
- invisible characters vanish (format and control characters, variation selectors, fillers),
- accents of Latin, Greek and Cyrillic letters vanish, precomposed or combining,
- look-alike letters become the ASCII letter that they resemble (a subset of Unicode's confusables, UTS 39),
- digits of every script become 0-9, spaces become a space, typographic punctuation becomes ASCII.

Before that, what JSON may write as an escape (``\u0061``, ``\/``) is read as the character that it stands for: a tool
call's arguments are JSON within a string. Case is kept. What pattern authors write is folded in the same way, so that
words in any script still match. Spaced-out letters and other disguises are read as a
second view (`detectors/views.py`).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence

# Each row: an ASCII character, then what looks like it. Greek, Cyrillic, Armenian, Cherokee, Latin small capitals and
# other letters that NFKC leaves alone. Lower and upper case are separate rows, since case is kept.
_LOOK_ALIKES = """
a αаɑᴀ⍺ạ
b ЬɓʙᏏƄ
c сϲᴄⅽⲥ
d ԁɗᴅⅾᏧ
e еєҽᴇ℮ɛεёә
f ſƒꜰẝϝ
g ɡɢցǥ
h һհʜᏂћ
i іιıɩɪӏɨї
j јϳᴊ
k κкᴋƙ
l ⅼʟłƖǀ
m мᴍⅿ
n ոռɴηпղ
o οоօᴏøσჿ
p рρᴘƿϱ
q ԛգզ
r гᴦʀɼ
s ѕꜱʂƽ
t τтᴛŧ
u υսᴜʋц
v νѵᴠⅴט
w ԝѡωᴡɯшա
x хχⅹ×ᕁ
y уγʏүყ
z ᴢʐƶᴣ
A ΑАᎪꓮ𐊠
B ΒВᏴꓐ
C СϹᏟꓚⅭ
D ᎠꓓĐⅮ
E ΕЕᎬꓰЁЄ
F ꓝϜҒ
G ԌᏀꓖ
H ΗНᎻꓧ
I ІΙӀꓲЇ
J ЈᎫꓙ
K ΚКᏦꓗ
L ᏞꓡⅬŁ
M ΜМᎷꓟⅯ
N ΝꓠИ
O ΟОՕꓳØ
P РΡᏢꓑ
Q Ԛ
R ᎡꓣЯ
S ЅՏᏚꓢ
T ΤТᎢꓔ
U ՍꓴԱ
V ѴᏙꓦ
W ԜᎳꓪШ
X ХΧꓫ
Y ΥҮҰꓬУ
Z ΖᏃꓜ
' ‘’‚‛′ʹʻʼʽˈ＇`´
" “”„‟″〃
- ‐‑‒–—―−⁃﹘─ー
. ·•∙․。｡
, ‚、،
/ ⁄∕
: ː∶꞉
* ∗⁎
| ∣ǁ
~ ∼˜
< ‹
> ›
"""

_KEEP_CONTROLS = frozenset("\t\n\r\v\f")
_MARKS = ((0x0300, 0x036F), (0x0483, 0x0489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))
_IGNORABLE = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2065, 0x2065),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)
_REGIONAL_A = 0x1F1E6
_REGIONAL_Z = 0x1F1FF
_SQUARED = ((0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))


def _look_alikes() -> dict[int, str]:
    table: dict[int, str] = {}
    for line in _LOOK_ALIKES.strip().splitlines():
        plain, others = line.split(" ", 1)
        for other in others:
            if not other.isascii():
                table.setdefault(ord(other), plain)
    return table


def _within(code: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(low <= code <= high for low, high in ranges)


class _FoldTable(dict[int, str]):
    """Code point → folded text. Filled as characters are met, so that importing costs nothing."""

    def __init__(self) -> None:
        super().__init__((code, chr(code)) for code in range(0x80))
        for code in (*range(0x20), 0x7F):
            if chr(code) not in _KEEP_CONTROLS:
                self[code] = ""
        self._alike = _look_alikes()

    def __missing__(self, code: int) -> str:
        folded = self._fold(code)
        self[code] = folded
        return folded

    def _fold(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        if category == "Cf" or _within(code, _IGNORABLE) or _within(code, _MARKS):
            return ""
        if category == "Cs":
            return "\ufffd"
        if category == "Cc" and code != 0x85:
            return ""  # those below 0x80 are in the table from the start
        if category == "Nd":
            return str(unicodedata.digit(char))
        if category == "Zs":
            return " "
        if category in ("Zl", "Zp") or code == 0x85:
            return "\n"
        if code in self._alike:
            return self._alike[code]
        if _REGIONAL_A <= code <= _REGIONAL_Z:
            return chr(ord("A") + code - _REGIONAL_A)
        for low, high in _SQUARED:
            if low <= code <= high:
                return chr(ord("A") + code - low)
        return "".join(map(self._plain, unicodedata.normalize("NFKC", char)))

    def _plain(self, char: str) -> str:
        if char.isascii():
            return char
        base = unicodedata.normalize("NFD", char)[0]
        if base != char and unicodedata.name(base, "").startswith(("LATIN", "GREEK", "CYRILLIC")):
            char = base
        if _within(ord(char), _MARKS):
            return ""
        return self._alike.get(ord(char), char)


_TABLE = _FoldTable()
_DROPPED = bytes(code for code in range(0x80) if not _TABLE[code])
_CHANGED = re.compile(r"[^\t\n\r\v\f -~]")
"""What folding may change."""


def fold(text: str) -> str:
    """`text` as detectors see it."""
    return text.translate(_TABLE)


_HEX = "[0-9a-fA-F]"
_HIGH, _LOW = f"u[dD][89abAB]{_HEX}{{2}}", f"u[dD][c-fC-F]{_HEX}{{2}}"
_ESCAPE = re.compile(rf"\\{{1,8}}+(?:{_HIGH}\\{{1,8}}+{_LOW}|u{_HEX}{{4}}|/)")
"""JSON's escapes of characters that could stand there plainly. In JSON within JSON each has more backslashes."""

_ESCAPE_BEFORE = re.compile(rf"(?:{_ESCAPE.pattern})\Z")
_BEGUN = re.compile(rf"\\{{1,8}}+(?:(?:u{_HEX}{{0,3}})?|{_HIGH}(?:\\{{1,8}}+(?:u(?:[dD](?:[c-fC-F]{_HEX}?)?)?)?)?)\Z")
_LONGEST_ESCAPE = 26


def _meant(escape: str) -> str:
    """The character that an escape stands for."""
    digits = escape.lstrip("\\")
    if digits == "/":
        return "/"
    code = int(digits[1:5], 16)
    if len(digits) > len("u0000"):
        code = 0x10000 + ((code - 0xD800) << 10) + int(digits[-4:], 16) - 0xDC00
    return chr(code)


def begun(text: str) -> int:
    """Where the escape begins that `text` may end in the middle of; len(text) if there is none."""
    match = _BEGUN.search(text, max(len(text) - _LONGEST_ESCAPE, 0)) if "\\" in text else None
    return match.start() if match is not None else len(text)


def plain(text: str) -> bytes | None:
    """The text in UTF-8, if folding changes nothing about it; None if it does, or may. Nearly every text is plain."""
    if not text.isascii() or ("\\" in text and _ESCAPE.search(text)):
        return None
    encoded = text.encode()
    return encoded if len(encoded.translate(None, _DROPPED)) == len(encoded) else None


class Unescaped:
    """A text with its escapes read, and its way back: `original` and the others as `Folded` has them."""

    __slots__ = ("_ends", "_length", "_starts", "encoded", "text")

    def __init__(self, source: str) -> None:
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for match in _ESCAPE.finditer(source):
            low, high = match.span()
            parts += (source[done:low], _meant(match.group()))
            starts.extend(range(done, low + 1))
            ends.extend(range(done + 1, low + 1))
            ends.append(high)
            done = high
        parts.append(source[done:])
        starts.extend(range(done, len(source)))
        ends.extend(range(done + 1, len(source) + 1))
        self.text = "".join(parts)
        self.encoded = self.text.encode("utf-8", "replace")
        self._starts = starts
        self._ends = ends
        self._length = len(source)

    def original(self, index: int) -> int:
        return self._starts[index] if index < len(self._starts) else self._length

    def original_end(self, index: int) -> int:
        return self._ends[index - 1] if index > 0 else 0

    def folded(self, offset: int) -> int:
        return bisect_left(self._starts, offset)


class Folded:
    """A folded text and its way back.

    `text` is the folded text, `encoded` the same in UTF-8. `original(i)` is the offset in the original of folded
    character i; `original_end(j)` the offset just behind the original character that gave folded character j - 1.
    `unescaped` is the original with its escapes read, where it has any.
    """

    __slots__ = ("_at", "_source", "encoded", "text", "unescaped")

    def __init__(self, source: str) -> None:
        self.unescaped = Unescaped(source) if "\\" in source and _ESCAPE.search(source) else None
        if self.unescaped is not None:
            source = self.unescaped.text
        self.text = source.translate(_TABLE)
        self.encoded = self.text.encode("utf-8", "replace")
        self._source = source
        self._at: list[int] | None = None

    def _offsets(self) -> list[int]:
        if self._at is None:
            at: list[int] = []
            done = 0
            for match in _CHANGED.finditer(self._source):
                i = match.start()
                at.extend(range(done, i))
                at.extend([i] * len(_TABLE[ord(self._source[i])]))
                done = i + 1
            at.extend(range(done, len(self._source)))
            self._at = at
        return self._at

    def original(self, index: int) -> int:
        at = self._offsets()
        offset = at[index] if index < len(at) else len(self._source)
        return offset if self.unescaped is None else self.unescaped.original(offset)

    def original_end(self, index: int) -> int:
        end = self._offsets()[index - 1] + 1 if index > 0 else 0
        return end if self.unescaped is None else self.unescaped.original_end(end)

    def folded(self, offset: int) -> int:
        """How many folded characters the first `offset` original characters gave."""
        if self.unescaped is not None:
            offset = self.unescaped.folded(offset)
        return bisect_left(self._offsets(), offset)


def seen(text: str) -> str:
    """`text` as detectors see it, its escapes read: `Folded(text).text`."""
    return Folded(text).text if "\\" in text else fold(text)


def last_visible(text: str) -> str:
    """The shortest tail context that a scan of what follows needs: the last character that folds to something, and
    the last character of all if that is another one. An escape counts as one character. Empty for an empty text."""
    escapes = "\\" in text
    last = ""
    end = len(text)
    while end:
        unit = meant = text[end - 1]
        if escapes:
            match = _ESCAPE_BEFORE.search(text, max(end - _LONGEST_ESCAPE, 0), end)
            if match is not None:
                unit = match.group()
                meant = _meant(unit)
        if _TABLE[ord(meant)]:
            return unit + last
        last = last or unit
        end -= len(unit)
    return last
