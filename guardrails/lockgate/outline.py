"""The outline of a JSON text that comes in pieces: where its string values stand, and which of them a schema confines.

It tells whether an edit stays inside a string value, so that the text stays JSON with the same keys and types. No I/O.
A text is read as JSON for as long as it is; what follows the first error has no structure to keep. A bare word at the
very top is one: neither arguments nor answers are lone numbers.
"""

from __future__ import annotations

import json
import re
from collections import deque
from enum import Enum
from typing import Any, Literal, NamedTuple

from lockgate.forms import Form

_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r'[^"\\]*')
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|[^u])", re.DOTALL)
_BARE = re.compile(r"[-+.0-9A-Za-z]+")

Kind = Literal["string", "key", "bare"]


class Wait(Enum):
    """What follows decides."""

    MORE = 0


class Value:
    """A string value, a key, or a bare word or number: [start, end) of the text, without quotes. `end` is -1 while it is
    open. `form` is what a schema says of a string value that it confines."""

    __slots__ = ("end", "escapes", "form", "kind", "start")

    def __init__(self, kind: Kind, start: int, form: Form | None) -> None:
        self.kind = kind
        self.start = start
        self.end = -1
        self.form = form
        self.escapes: list[tuple[int, int]] = []


class Fit(NamedTuple):
    """Where an edit may be made: [start, end), within the string value `value`; None where the text is not JSON."""

    start: int
    end: int
    value: Value | None


class Outline:
    """See the module. `form` is what is declared of the whole; a confined string of more than `limit` characters is not
    waited for, and not edited."""

    def __init__(self, form: Form, *, limit: int) -> None:
        self._limit = limit
        self._text = ""  # what is read and may be asked for, and what is unread
        self._base = 0  # where it begins
        self._at = 0  # all before it is read
        self._values: deque[Value] = deque()
        self._open: Value | None = None
        self._stack: list[tuple[str, Form, str | int]] = []  # the array or object, what is declared of it, key or index
        self._expect = "value"
        self._form = form
        self._broken = -1

    def feed(self, text: str) -> None:
        self._text += text
        if self._broken < 0:
            self._read()

    def fit(self, start: int, end: int, *, final: bool = False) -> Fit | Wait | None:
        """Where an edit of [start, end) may be made; None if it can't be. `final`: nothing follows."""
        if 0 <= self._broken <= start:
            return Fit(start, end, None)
        if end > self._at and not final and self._broken < 0:
            return Wait.MORE
        touched = [v for v in self._values if v.start < end and (v.end < 0 or start < v.end)]
        if len(touched) != 1 or touched[0].kind != "string" or 0 <= self._broken < end:
            return None
        value = touched[0]
        if value.form is not None:
            if value.end < 0 and not final and self._at - value.start <= self._limit:
                return Wait.MORE
            if (self._at if value.end < 0 else value.end) - value.start > self._limit:
                return None
        start, end = max(start, value.start), end if value.end < 0 else min(end, value.end)
        for low, high in value.escapes:
            start = low if low < start < high else start
            end = high if low < end < high else end
        return Fit(start, end, value)

    def holds(self, value: Value, start: int, end: int, raw: str) -> bool:
        """Whether what is declared of a string value allows `raw`, as it stands in JSON, in the place of [start, end)."""
        if value.form is None:
            return True
        stop = self._at if value.end < 0 else value.end
        return value.form.holds(decoded(self.raw(value.start, start) + raw + self.raw(end, stop)))

    def raw(self, start: int, end: int) -> str:
        return self._text[start - self._base : end - self._base]

    def safe(self, clear: int) -> int:
        """How much of what is cleared may leave: not half an escape, and not a confined string before its end."""
        for value in self._values:
            if value.start >= clear:
                break
            if value.end < 0 and value.form is not None and self._at - value.start <= self._limit:
                return value.start
            for low, high in reversed(value.escapes):
                if low < clear < high:
                    return low
                if high <= clear:
                    break
        if self._open is not None and self._broken < 0:
            return min(clear, max(self._at, self._open.start))  # an escape that is not whole yet
        return clear

    def forget(self, before: int) -> None:
        """Nobody will ask for what stands before this."""
        values = self._values
        while values and 0 <= values[0].end < before:
            values.popleft()
        keep = min(before, self._at)
        if values and values[0].form is not None:
            keep = min(keep, values[0].start)
        if self._open is not None and self._open.kind == "key":
            keep = min(keep, self._open.start)
        if values and values[0].escapes:
            values[0].escapes = [escape for escape in values[0].escapes if escape[1] > before]
        if keep > self._base:
            self._text = self._text[keep - self._base :]
            self._base = keep

    # Reading.

    def _read(self) -> None:
        while self._broken < 0:
            if self._open is not None:
                if not (self._string() if self._open.kind != "bare" else self._bare()):
                    return
                continue
            found = _SPACE.match(self._text, self._at - self._base)
            assert found is not None
            self._at = self._base + found.end()
            if found.end() == len(self._text):
                return
            if not self._sign(self._text[found.end()]):
                self._broken = self._at
                return

    def _sign(self, sign: str) -> bool:
        """Take a sign between values. False: it is not JSON."""
        expect = self._expect
        if expect in ("value", "value or end") and sign in "{[":
            self._stack.append((sign, self._declared(), "" if sign == "{" else 0))
            self._expect = "key or end" if sign == "{" else "value or end"
        elif sign == '"' and expect in ("value", "value or end", "key", "key or end"):
            key = expect.startswith("key")
            form = None if key else self._declared()
            self._begin("key" if key else "string", self._at + 1, form if form is not None and form.confines else None)
        elif self._stack and expect in ("value", "value or end") and _BARE.match(sign):
            self._begin("bare", self._at, None)
            return True
        elif sign == ":" and expect == "colon":
            self._expect = "value"
        elif sign == "," and expect == "comma" and self._stack:
            kind, form, at = self._stack[-1]
            if isinstance(at, int):
                self._stack[-1] = (kind, form, at + 1)
            self._expect = "key" if kind == "{" else "value"
        elif (sign == "}" and self._closes("{", "key or end")) or (sign == "]" and self._closes("[", "value or end")):
            self._stack.pop()
            self._expect = "comma"
        else:
            return False
        self._at += 1
        return True

    def _closes(self, kind: str, empty: str) -> bool:
        return bool(self._stack) and self._stack[-1][0] == kind and self._expect in ("comma", empty)

    def _declared(self) -> Form:
        """What is declared of the value that begins."""
        if not self._stack:
            return self._form
        _, form, at = self._stack[-1]
        return form.member(at) if isinstance(at, str) else form.item(at)

    def _begin(self, kind: Kind, start: int, form: Form | None) -> None:
        self._open = Value(kind, start, form)
        self._values.append(self._open)

    def _string(self) -> bool:
        """Read on in a string. False: its end has not come."""
        value = self._open
        assert value is not None
        while True:
            found = _PLAIN.match(self._text, self._at - self._base)
            assert found is not None
            self._at = self._base + found.end()
            if found.end() == len(self._text):
                return False
            if self._text[found.end()] == '"':
                break
            escape = _ESCAPE.match(self._text, found.end())
            if escape is None:
                if len(self._text) - found.end() >= len("\\u0000"):
                    self._broken = self._at
                return False
            value.escapes.append((self._at, self._base + escape.end()))
            self._at = self._base + escape.end()
        value.end = self._at
        self._at += 1
        self._open = None
        if value.kind == "key":
            kind, form, _ = self._stack[-1]
            self._stack[-1] = (kind, form, decoded(self.raw(max(value.start, self._base), value.end)))
            self._expect = "colon"
        else:
            self._expect = "comma"
        return True

    def _bare(self) -> bool:
        value = self._open
        assert value is not None
        found = _BARE.match(self._text, self._at - self._base)
        if found is not None:
            self._at = self._base + found.end()
        if self._at - self._base == len(self._text):
            return False
        value.end = self._at
        self._open = None
        self._expect = "comma"
        return True


def decoded(raw: str) -> str:
    """What the inside of a JSON string says; `raw` itself where it is none."""
    try:
        value: Any = json.loads(f'"{raw}"', strict=False)
    except ValueError:
        return raw
    return value if isinstance(value, str) else raw


def encoded(text: str) -> str:
    """The inside of a JSON string that says `text`."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
