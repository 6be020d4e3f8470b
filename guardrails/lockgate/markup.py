"""Where a mark may stand in a text that is Markdown, or prose. No I/O.

A mark stands at a word's end; not in code, in a link or a tag, in an address, or in the row that rules off a table's head.
The text may come in pieces: a place depends on the text before it and on `AHEAD` characters after what is marked, so it
is the same however the text was cut. Where it can't be told so, there is none.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

AHEAD = 256
"""Characters after what is marked in which a mark has to find its place."""
SENTENCE = 1_000
"""The same, for the end of a sentence."""
LONGEST = 16_384
"""Beyond so many characters, a paragraph has no marks: they are looked for from its beginning."""

_LEAD = r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*"
_FENCE = re.compile(_LEAD + r"(`{3,}|~{3,})(.*)")
_CLOSING = re.compile(r"[ \t>]*(`{3,}|~{3,})[ \t]*")
_BLOCK = re.compile(r"[ \t]*(?:[#>|]|[-*+][ \t]|\d{1,9}[.)][ \t]|```|~~~|$)")
_INDENTED = re.compile(r"(?: {4}|\t)[ \t]*(?![-*+][ \t]|\d{1,9}[.)][ \t]|[ \t])")
_SENTENCE_END = re.compile("[.!?\u2026\u3002\uff01\uff1f]+[\"'\u201d\u2019\u00bb)\\]*_]*")
_ABBREVIATED = re.compile(r"(?:^|[\s(.])(?:\w{1,2}|Mrs|Prof|bzw|evtl|approx|etc)$")
_JOINS = ".,/:@&+=#?"
_PARTS = "_*~'\u2019%\u00b0-\u2011"
_ZWJ = "\u200d"
_CJK = re.compile("[\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class Wait:
    """More of the text is needed."""


WAIT = Wait()


class Markup:
    """One text, as it comes."""

    def __init__(self, text: str = "") -> None:
        self.text = ""
        self._starts: list[int] = []  # of lines that are whole
        self._blocks: list[int] = []  # where the paragraph of each begins
        self._fenced: list[bool] = []
        self._line = 0  # start of the line that is not
        self._block = 0  # of the line before, or where the next one begins anew
        self._fence = ""
        self._scanned: tuple[int, _State] = (-1, (0, 0, 0, 0, False))  # paragraph and state of the last scan
        self.feed(text)

    def feed(self, text: str) -> None:
        self.text += text
        while (end := self.text.find("\n", self._line)) >= 0:
            self._end_line(self.text[self._line : end], end + 1)

    @property
    def in_code(self) -> bool:
        """The text, as it stands, ends within a block of code."""
        if not self._fence:
            return _FENCE.fullmatch(self.text[self._line :]) is not None
        return not self._closes(self.text[self._line :])

    def word_end(self, at: int, *, final: bool) -> int | Wait | None:
        """Where a mark of what ends at `at` may stand; None: nowhere. `final`: no more text comes."""
        while at > 0 and self.text[at - 1].isspace():
            at -= 1
        if at == 0:
            return None
        i = bisect_right(self._starts, at - 1) - 1
        whole = i >= 0 and at - 1 < (self._starts[i + 1] if i + 1 < len(self._starts) else self._line)
        start = self._starts[i] if whole else self._line
        head = self.text[start:at]
        fenced = self._fenced[i] if whole else bool(self._fence)
        if fenced or _FENCE.match(head) or _INDENTED.match(head) or not head.strip(" \t|:-"):
            return None
        block = self._blocks[i] if whole else self._block_of(self.text[start:], start)
        if at - block > LONGEST:
            return None
        began, state = self._scanned
        if began != block or state[0] > at:
            state = (block, 0, 0, 0, False)
        scan = _Scan(self.text, state, at, final=final)
        place = scan.place()
        self._scanned = block, scan.state
        return place

    def sentence_end(self, at: int, *, final: bool) -> int | Wait | None:
        """The same, for a note behind the sentence in which `at` stands."""
        text = self.text
        while at > 0 and text[at - 1].isspace():
            at -= 1
        limit = at + SENTENCE
        known = final or len(text) > limit
        line = text.find("\n", at, limit)
        end = line if line >= 0 else min(limit, len(text))
        position = max(at - 1, 0)
        while (found := _SENTENCE_END.search(text, position, end)) is not None:
            position = found.end()
            if position == len(text) and not final:
                return WAIT
            follows = text[position : position + 1]
            plain = found[0] == "." and _ABBREVIATED.search(text, max(found.start() - 8, 0), found.start())
            if position >= at and (not follows or follows == "\n" or _CJK.match(found[0]) or _is_wide(found[0])):
                return self.word_end(position, final=final)
            if position >= at and follows.isspace() and not plain:
                return self.word_end(position, final=final)
        if line >= 0:
            return self.word_end(line, final=final)
        if not known:
            return WAIT
        return self.word_end(len(text), final=final) if len(text) <= limit else None

    def _end_line(self, line: str, following: int) -> None:
        start = self._line
        self._starts.append(start)
        self._fenced.append(bool(self._fence))
        self._blocks.append(self._block_of(line, start))
        if self._fence:
            if self._closes(line):
                self._fence = ""
            self._block = following
        elif (fence := _FENCE.fullmatch(line)) and not (fence[1][0] == "`" and "`" in fence[2]):
            self._fence, self._block = fence[1], following
        else:
            self._block = self._blocks[-1] if line.strip() else following
        self._line = following

    def _block_of(self, line: str, start: int) -> int:
        return start if _BLOCK.match(line) else self._block

    def _closes(self, line: str) -> bool:
        found = _CLOSING.fullmatch(line)
        return found is not None and found[1].startswith(self._fence)


def _is_wide(sign: str) -> bool:
    return sign[0] in "\u3002\uff01\uff1f"


_State = tuple[int, int, int, int, bool]
"""Where a scan is; of code, the backticks with which it began; of brackets and of a link's parentheses, how deep it is in
them; whether it is in a tag."""


class _Scan:
    """Goes from a paragraph's beginning, or from where the last scan of it was, to the first place at or after `at` where a mark may stand."""

    def __init__(self, text: str, state: _State, at: int, *, final: bool) -> None:
        self.state = state
        self._text = text
        self._at = at
        self._end = min(len(text), at + AHEAD)
        self._final = final and len(text) <= at + AHEAD
        self._start, self._code, self._depth, self._target, self._tag = state

    def place(self) -> int | Wait | None:
        text, i = self._text, self._start
        while i < self._end:
            if i <= self._at:
                self.state = i, self._code, self._depth, self._target, self._tag
            if i >= self._at and self._free(i):
                glued = self._glued(i)
                if glued is None:
                    return WAIT
                if not glued:
                    return i
            if text[i] == "\n":
                if self._code and i >= self._at:
                    return None
                self._depth = self._target = 0
                self._tag = False
            step = self._step(i)
            if step is None:
                return WAIT if self._end == len(text) and not self._final else None
            if step < 0:
                return None
            i += step
        if self._end < self._at + AHEAD and not self._final:
            return WAIT
        return self._end if self._final and self._free(self._end) else None

    def _free(self, i: int) -> bool:
        before = self._text[i - 1 : i]
        closes = before == "]" and self._text[i : i + 1] in ("(", "[")
        return not (self._code or self._depth or self._target or self._tag or closes)

    def _step(self, i: int) -> int | None:
        """How far the sign at `i` goes, with what it opens or closes. None: more has to be seen; -1: no mark here."""
        text, sign = self._text, self._text[i]
        if sign == "`":
            end = i
            while end < len(text) and text[end] == "`":
                end += 1
            if end == len(text) and not self._final and end >= self._at:
                return None
            run = end - i
            self._code = 0 if self._code == run else self._code or run
            return run
        if self._code:
            return 1
        if sign == "\\":
            return 2
        if self._tag:
            self._tag = sign != ">"
        elif self._target:
            self._target += (sign == "(") - (sign == ")")
        elif sign == "[":
            self._depth += 1
        elif sign == "]" and self._depth:
            return self._close(i)
        elif sign == "<":
            if i + 1 >= len(text):
                return 1 if self._final else None
            self._tag = text[i + 1].isalpha() or text[i + 1] in "/!"
        return 1

    def _close(self, i: int) -> int | None:
        self._depth -= 1
        if self._depth:
            return 1
        following = self._text[i + 1 : i + 2]
        if not following:
            return 1 if self._final else None
        if following == "(":
            self._target = 1
            return 2
        if following == "[":
            self._depth = 1
            return 2
        opened = self._text.rfind("\n", 0, i) + 1
        return -1 if following == ":" and self._text[opened : i + 1].lstrip().startswith("[") else 1

    def _glued(self, i: int) -> bool | None:
        """Whether the signs before and at `i` belong to one word. None: more has to be seen."""
        text = self._text
        before, sign = text[i - 1], text[i]
        if unicodedata.category(sign)[0] == "M" or _ZWJ in (before, sign):
            return True
        if sign.isspace():
            return False
        if _is_part(before) and sign in _JOINS:
            if i + 1 >= len(text):
                return False if self._final else None
            return _is_part(text[i + 1]) or (sign, text[i + 1]) == (":", "/")
        if _is_part(before) and _is_part(sign):
            return True
        joined = before in _JOINS and i >= 2 and (_is_part(text[i - 2]) or text[i - 2] in _JOINS)
        return joined and (_is_part(sign) or sign in _JOINS)


def _is_part(sign: str) -> bool:
    """It may stand within a word. Of scripts without spaces, each sign is taken for one."""
    if sign in _PARTS or sign == _ZWJ or unicodedata.category(sign)[0] == "M":
        return True
    return sign.isalnum() and _CJK.match(sign) is None
