"""An event of a streamed answer on its way out: its bytes, its texts, and what may be taken out of it. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from lockgate.gate import Gate
from lockgate.passage import Stream
from lockgate.verdict import Edit, Flag
from lockgate.wire.document import dump_string, parse
from lockgate.wire.edit import edit_document
from lockgate.wire.lens import Cite, Delta, Dialect, EventReading, choice_of
from lockgate.wire.raw import unescaped
from lockgate.wire.splice import splice, without_items
from lockgate_proxy.sse import Event, rebuild

_GONE = b""  # in the place of an array's item: it is taken out
LEAST = 256
"""Bytes that the shortest event is counted for while it waits: what is kept of it beside its own."""


class Part:
    """A text of an event: [start, end) of its gate's channel. `where` and `drop` are as a delta's."""

    __slots__ = ("drop", "end", "gate", "start", "text", "where")

    def __init__(self, gate: Gate, text: str, end: int, where: str, drop: Sequence[str] = ()) -> None:
        self.gate = gate
        self.text = text
        self.start = end - len(text)
        self.end = end
        self.where = where
        self.drop = drop

    def follow(self, values: dict[str, bytes], edits: list[Edit], dropped: bytes) -> bool:  # noqa: ARG002 - for others
        """The gate has edits: say what changes in the event, a value at its pointer, or an edit of a whole text. False:
        the event goes."""
        text = self.gate.edited(self.text, self.start, self.end)
        if text is not None:
            if not any(self.where.startswith(f"{pointer}/") for pointer in self.drop):
                values[self.where] = dump_string(text)
            for pointer in self.drop:
                values[pointer] = dropped
        return True


class Cited(Part):
    """A citation. `count` is how many of its text were dropped, in the order of the events."""

    __slots__ = ("cite", "count")

    def __init__(self, gate: Gate, cite: Cite, count: list[int]) -> None:
        super().__init__(gate, "", min(cite.reach, gate.length), cite.item)
        self.cite = cite
        self.count = count

    def follow(self, values: dict[str, bytes], edits: list[Edit], dropped: bytes) -> bool:  # noqa: ARG002 - as Part's
        moved = self.cite.moved(self.gate.edits)
        if moved is None:
            self.count[0] += 1
            if self.cite.item:
                values[self.cite.item] = _GONE
            return bool(self.cite.item)
        values.update({pointer: str(offset).encode() for pointer, offset in moved.items()})
        if self.count[0] and self.cite.counted:
            values[self.cite.counted] = str(max(self.cite.number - self.count[0], 0)).encode()
        return True


def cited(stream: Stream, cites: Iterable[Cite]) -> Iterator[Part]:
    """The parts that an event's citations are, of texts that have begun."""
    for cite in cites:
        with suppress(KeyError):
            yield Cited(stream.gate(cite.channel), cite, [0])


class Held:
    """`ends` are the choices that end with the event, while it is not known whether they do. `unread` is an event whose
    data is no JSON: its one part is its bare text."""

    __slots__ = ("ends", "event", "parts", "unread")

    def __init__(self, event: Event, parts: list[Part] | None = None, *, unread: bool = False) -> None:
        self.event = event
        self.parts = parts if parts is not None else []
        self.ends: Sequence[int] = ()
        self.unread = unread

    @property
    def size(self) -> int:
        """Bytes that it takes while it waits."""
        return max(len(self.event.raw), LEAST)

    @property
    def blocker(self) -> Gate | None:
        """The first gate that has yet to clear a text of it."""
        return next((part.gate for part in self.parts if part.gate.cleared < part.end), None)

    def replace(self, values: Mapping[str, bytes]) -> None:
        """Put other JSON texts in the place of the values at some pointers."""
        assert self.event.data is not None
        data = splice(self.event.data, values)
        self.event = Event(rebuild(self.event, data), data)

    def note(self, dialect: Dialect, note: dict[str, Any], flags: Sequence[Flag]) -> bool:
        """Put flags into the event, if its dialect has them there."""
        data = self.event.data and dialect.noted(self.event.data, {**note, "flags": [f.public() for f in flags]})
        if not data:
            return False
        self.event = Event(rebuild(self.event, data), data)
        return True

    def strip(self, dialect: Dialect, gone: Collection[int]) -> bool:
        """Take choices out. False: nothing is left."""
        if self.unread:
            return not any(part.gate.choice in gone for part in self.parts)
        if not gone or self.event.data is None or self.event.done:
            return True
        empty = dialect.strip(parse(self.event.data, lenient=True), gone)
        if not empty:
            return empty is not None
        self.parts = [part for part in self.parts if part.gate.choice not in gone]
        self.ends = [choice for choice in self.ends if choice not in gone]
        self.replace(empty)
        return True

    def leave(self, dialect: Dialect) -> bytes:
        """The bytes that leave, with the edits of what was said; none of a citation that is dropped. To be asked once, in
        the order of the events."""
        values: dict[str, bytes] = {}
        edits: list[Edit] = []
        for part in self.parts:
            if part.gate.edits and not part.follow(values, edits, dialect.dropped):
                return b""
        gone = [pointer for pointer, value in values.items() if value == _GONE]
        for item in gone:
            values = {at: value for at, value in values.items() if at != item and not at.startswith(f"{item}/")}
        if values:
            self.replace(values)
        for array in dict.fromkeys(item.rpartition("/")[0] for item in gone):
            assert self.event.data is not None
            data = without_items(self.event.data, array, [item for item in gone if item.rpartition("/")[0] == array])
            self.event = Event(rebuild(self.event, data), data)
        if edits:
            assert self.event.data is not None
            data = edit_document(self.event.data, parse(self.event.data, lenient=True), edits, dialect.dependants)
            self.event = Event(rebuild(self.event, data), data)
        return self.event.raw


class Taken:
    """An event that waits for a verdict. `late` are the choices of which it has text, and which have ended;
    `late_error` is the same of an error."""

    __slots__ = ("due", "held", "late", "late_error", "unknown")

    def __init__(self, held: Held, unknown: list[str], *, due: bool = False) -> None:
        self.held = held
        self.unknown = unknown
        self.due = due
        self.late: frozenset[int] = frozenset()
        self.late_error = False

    def feed(self, stream: Stream, delta: Delta, *, ended: bool = False) -> None:
        """Give a text of the event to its gate; `ended`: there is no more of it."""
        if stream.feed(delta.choice, delta.channel, delta.kind, delta.text, fixed=delta.fixed, whole=delta.whole):
            self.due = True
        gate = stream.gate(delta.channel)
        if ended:
            self.due = stream.flush(gate) or self.due
        self.held.parts.append(Part(gate, delta.text, gate.length, delta.where, delta.drop))


def unreadable(data: bytes, number: int) -> EventReading:
    """What is no JSON: the policy's `unknown:` judges it, and its rules see its bare text."""
    bare = Delta(0, f"#unread/{number}", "", "text", unescaped(data), fixed=True)
    return EventReading([bare], skipped={"": "unread: unknown"}, unknown=[""])


def choices_of(pointers: Iterable[str]) -> set[int]:
    """The choices that pointers into an answer are about."""
    return {choice for choice in map(choice_of, pointers) if choice is not None}
