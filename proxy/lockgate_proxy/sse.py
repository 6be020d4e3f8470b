"""Server-sent events, cut without I/O and without loss.

`Splitter` cuts a byte stream into events by the WHATWG rules: a line ends with LF, CR or CRLF, a blank line ends an
event, a byte-order mark may stand at the very start. An `Event` keeps its bytes as received, so the events' `raw`
joined (and what `flush` returns) are the input, however it was chunked. Where events begin and end depends on the
bytes alone, never on the chunks.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re

from lockgate.errors import WireError

MAX_EVENT = 8 * 1024 * 1024
"""Most bytes of one event, unless said otherwise."""

COMMENT = b": keep-alive\n\n"
"""An event that clients ignore: it tells everything on the way that the connection lives."""

DONE = b"data: [DONE]\n\n"
"""The last event of a chat stream."""

_JOIN = 65_536  # up to here what is held is cheaper joined with the next chunk than searched in place
_BOM = b"\xef\xbb\xbf"
_NAME = re.compile(rb"response\.[a-z_.]{1,60}")
_LINE_END = re.compile(rb"\r\n|\n|\r")
# The end of an event, from the end of its last line on. A CR that ends a blank line after an LF may be the first half
# of CRLF, so the byte after it is waited for. After a bare CR it is taken as it stands (only streams of bare CR look
# like that): waiting would hold back every event of theirs until the next one.
_END = re.compile(rb"\n(?:\n|\r\n|\r(?=[^\n]))|\r\r")


class Event:
    """One event: `raw` as received with its blank line, `data` its data lines joined by LF, None if it has none.

    `lead` counts the bytes of `raw` before the first line: a byte-order mark, or an LF that ended the event before.
    """

    __slots__ = ("data", "lead", "raw")

    def __init__(self, raw: bytes, data: bytes | None, lead: int = 0) -> None:
        self.raw = raw
        self.data = data
        self.lead = lead

    def __repr__(self) -> str:
        held = "none" if self.data is None else f"{len(self.data)} bytes"
        return f"Event({len(self.raw)} bytes, data: {held})"

    @property
    def done(self) -> bool:
        """Whether this is the `[DONE]` that ends a stream. With more behind it, it is a text like any other: clients
        stop there, but it would leave unseen."""
        return self.data is not None and self.data.startswith(b"[DONE]") and self.data.rstrip() == b"[DONE]"

    @property
    def has_more(self) -> bool:
        """Whether it has other lines than data: comments, ids, names that are no word of an API."""
        if self.data is not None and len(self.raw) == len(self.data) + 8 and not self.lead:
            return False  # nearly every event
        return any(
            field != b"data" and not (field == b"event" and _NAME.fullmatch(value))
            for field, value in _fields(self.raw[self.lead :])
        )

    @property
    def name(self) -> bytes:
        """What the `event` field says; empty if there is none."""
        found = b""
        for field, value in _fields(self.raw[self.lead :]):
            if field == b"event":
                found = value
        return found


class Splitter:
    """Cuts a stream into events.

    `max_event` bounds what is held while an event is incomplete, in bytes; an event that grows beyond it is a
    `WireError` (status 502).
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max = max_event
        self._buffer = bytearray()
        self._looked = 0  # up to here no event ends
        self._start = True  # nothing was cut off yet: a byte-order mark may come
        self._after_cr = False  # the last event ended with a bare CR: an LF right after it belongs to that line end

    @property
    def between(self) -> bool:
        """Nothing is held, and what comes next is the beginning of an event."""
        return not (self._buffer or self._start or self._after_cr)

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes."""
        held = self._buffer
        if self._start or self._after_cr or b"\r" in chunk or len(held) > _JOIN or (held and b"\r" in held):
            return self._feed_any(chunk)
        if held:
            chunk = bytes(held) + chunk
            held.clear()
        events: list[Event] = []
        position, size = 0, len(chunk)
        while position < size:
            if chunk[position] == 10:
                events.append(Event(b"\n", None))
                position += 1
                continue
            end = chunk.find(b"\n\n", position)
            if end < 0:
                self._keep(chunk[position:])
                break
            raw = chunk[position : end + 2]
            if len(raw) > self._max:
                raise self._too_large()
            # One `data: ` line is what every chat server sends.
            if raw[:6] == b"data: " and raw.find(b"\n") == len(raw) - 2:
                events.append(Event(raw, raw[6:-2]))
            else:
                events.append(Event(raw, _data(raw)))
            position = end + 2
        return events

    def end(self) -> list[Event]:
        """The input is over: the event that only waited for the second half of a CRLF, if there is one."""
        buffer = self._buffer
        if not buffer.endswith(b"\r"):
            return []
        lead = self._lead()
        if lead is None or (len(buffer) - 1 > lead and buffer[-2] != 10):
            return []
        return [self._cut(len(buffer), lead)]

    def flush(self) -> bytes:
        """Take out what is left: the beginning of an event that never ended.

        Clients may read a last event that lacks its blank line, so these bytes are as unseen as any other text. If
        they are nothing but line ends, nothing is missing.
        """
        left = bytes(self._buffer)
        self._buffer.clear()
        self._looked = 0
        return left

    def _feed_any(self, chunk: bytes) -> list[Event]:
        events: list[Event] = []
        self._buffer += chunk
        while self._buffer:
            lead = self._lead()
            if lead is None:
                break
            end = self._find_end(lead)
            if end < 0:
                break
            if end > self._max:
                raise self._too_large()
            events.append(self._cut(end, lead))
        if len(self._buffer) > self._max:
            raise self._too_large()
        return events

    def _keep(self, rest: bytes) -> None:
        if len(rest) > self._max:
            raise self._too_large()
        self._buffer += rest
        self._looked = 0

    def _lead(self) -> int | None:
        """Bytes before the event's first line: a byte-order mark, or the rest of a CRLF. None: not known yet."""
        buffer = self._buffer
        if self._after_cr:
            return 1 if buffer.startswith(b"\n") else 0
        if self._start:
            if buffer.startswith(_BOM):
                return 3
            if len(buffer) < 3 and _BOM.startswith(buffer):
                return None
        return 0

    def _find_end(self, lead: int) -> int:
        """Where the first event of the buffer ends; -1 if it isn't there yet."""
        buffer = self._buffer
        first = buffer[lead : lead + 2]
        if first[:1] == b"\n":
            return lead + 1
        if first[:1] == b"\r":
            if len(first) < 2:
                return -1
            return lead + 2 if first == b"\r\n" else lead + 1
        found = _END.search(buffer, max(self._looked, lead))
        if found is None:
            # An end has three bytes at most, and the one after it may have to be seen.
            self._looked = max(len(buffer) - 3, 0)
            return -1
        return found.end()

    def _cut(self, end: int, lead: int) -> Event:
        raw = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._looked = 0
        self._start = False
        self._after_cr = raw.endswith(b"\r\r") and end - lead >= 2
        return Event(raw, _data(raw[lead:]), lead)

    def _too_large(self) -> WireError:
        return WireError(f"an event of the stream is larger than {self._max} bytes", status=502, code="upstream_broken")


def data_event(data: bytes) -> bytes:
    """A new event that carries `data`."""
    return _data_lines(data, b"\n") + b"\n"


def own_event(name: str, data: bytes) -> bytes:
    """A new event that carries `data`, under a name if there is one."""
    return (b"event: %b\n" % name.encode() if name else b"") + data_event(data)


def rebuild(event: Event, data: bytes) -> bytes:
    """The same event with other data.

    The new data lines stand where the first one stood, or at the end if there was none; every other line stays as it
    was. A line end within `data` starts another data line, as the rules want. Mixed line ends all become LF.
    """
    raw, position = event.raw, event.lead
    if event.data is not None and not position and raw == b"data: " + event.data + b"\n\n":
        return data_event(data)
    ends = list(_LINE_END.finditer(raw, position))
    # With mixed line ends, a line that goes could leave a CR and an LF side by side that were never one.
    kinds = {end.group() for end in ends}
    stop = kinds.pop() if len(kinds) == 1 else b"\n"
    parts = [raw[:position]]
    done = False
    for end in ends:
        line = raw[position : end.start()]
        position = end.end()
        is_data = bool(line) and _field(line)[0] == b"data"
        if not done and (is_data or end is ends[-1]):
            parts.append(_data_lines(data, stop))
            done = True
        if not is_data:
            parts.append(line + stop)
    return b"".join(parts)


def _data_lines(data: bytes, end: bytes) -> bytes:
    if b"\n" not in data and b"\r" not in data:
        return b"data: " + data + end
    return b"".join(b"data: " + line + end for line in _LINE_END.split(data))


def _data(lines: bytes) -> bytes | None:
    found = [value for field, value in _fields(lines) if field == b"data"]
    return b"\n".join(found) if found else None


def _fields(lines: bytes) -> list[tuple[bytes, bytes]]:
    return [_field(line) for line in _LINE_END.split(lines) if line]


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value[1:] if value.startswith(b" ") else value
