"""The ordinary event of a stream: the same bytes as one before it, but for the text.

Nearly every chunk of an answer is spelled as the last one was: id, model, choice, all but a few characters of one
string. Once such an event has been read in full, another one that begins and ends with the same bytes, and has a JSON
string between them, is the same document with another string in that place. So it needs no second reading.
"""

from __future__ import annotations

from jiter import from_json

from lockgate.gate import Gate
from lockgate.wire.lens import EventReading
from lockgate.wire.splice import locate
from lockgate_proxy.sse import Event

_PADDING = b'"obfuscation":"'
_KEPT = 4
_UNLUCKY = 8


class Ordinary:
    """Events that begin with `head`, go on with the inside of a JSON string, and end with `tail`.

    `gate` takes the text, `where` points to it in the event. A `padded` event has one more string, of letters and
    digits, at its very end: `tail` ends before that.
    """

    __slots__ = ("_end", "_start", "gate", "head", "padded", "tail", "used", "where")

    def __init__(self, head: bytes, tail: bytes, gate: Gate, where: str, *, padded: bool) -> None:
        self.head = head
        self.tail = tail
        self.gate = gate
        self.where = where
        self.padded = padded
        self.used = False
        self._start = len(head)
        self._end = -len(tail)

    def text(self, raw: bytes) -> str:
        """The text of an event, given as its bytes; "" if it is no such event, or has none."""
        if not raw.startswith(self.head):
            return ""
        if self.padded:
            cut = raw.rfind(b'"', 0, -4) + 1
            if raw[-4:] != b'"}\n\n' or not raw[cut:-4].isalnum():
                return ""
            raw = raw[:cut]
        if not raw.endswith(self.tail):
            return ""
        try:
            found: str = from_json(b'"%b"' % raw[self._start : self._end])
        except ValueError:
            return ""
        self.used = True
        return found


class Spellings:
    """How the ordinary events of one stream are spelled. They are learned from those that were read in full."""

    __slots__ = ("_known", "_unlucky")

    def __init__(self) -> None:
        self._known: list[Ordinary] = []
        self._unlucky = 0

    def find(self, raw: bytes) -> tuple[Ordinary, str] | None:
        """What an event says, if it is spelled in a known way. Where several are, those of late are tried first."""
        known = self._known
        for i, ordinary in enumerate(known):
            text = ordinary.text(raw)
            if text:
                if i:
                    known.insert(0, known.pop(i))
                return ordinary, text
        return None

    def learn(self, event: Event, reading: EventReading, gate: Gate) -> None:
        """Remember how `event` is spelled. Its one delta was just fed to `gate`."""
        delta = reading.deltas[0]
        data = event.data
        if data is None or delta.drop or delta.fixed or delta.whole or reading.ended or self._unlucky >= _UNLUCKY:
            return
        if event.raw[:6] != b"data: " or len(event.raw) != len(data) + 8 or event.raw.find(b"\n") != len(data) + 6:
            return
        try:
            start, end = locate(data, [delta.where])[delta.where]
        except (KeyError, ValueError):
            return
        # An upstream whose events all differ is not worth the search.
        self._unlucky = self._unlucky + 1 if self._known and not self._known[0].used else 0
        head, tail = event.raw[: start + 7], event.raw[end + 5 :]
        opening = tail.rfind(_PADDING)
        padded = opening > 0 and tail[opening + len(_PADDING) : -4].isalnum() and tail.endswith(b'"}\n\n')
        if padded:
            tail = tail[: opening + len(_PADDING)]
        del self._known[_KEPT - 1 :]
        self._known.insert(0, Ordinary(head, tail, gate, delta.where, padded=padded))
