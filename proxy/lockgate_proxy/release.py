"""What of a streamed answer may leave, and in which bytes. No I/O.

Events wait here, in order, until their last character is cleared. An event that no edit touches leaves as the bytes
that came; only an edited one is rebuilt. The guard's own chunks (flags before a finish, the end of a refused choice)
are put in where they belong.

A finish waits for the next event: some upstreams give a finish_reason with every chunk, and only the last one is an
end. Text that comes after its choice has ended can't be judged together with what has left: it does not leave, where a
rule may act on such text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockgate.errors import WireError
from lockgate.passage import Stream
from lockgate.verdict import Action, Flag, Verdict
from lockgate.wire.chat_stream import empty_choice, flag_chunk, index_of, refusal_chunk
from lockgate.wire.document import dump_string, parse
from lockgate.wire.lens import Delta, EventReading, Lens
from lockgate.wire.raw import unescaped
from lockgate.wire.splice import splice
from lockgate_proxy.sse import DONE, Event, data_event, rebuild

WITHHELD = "withheld: came after its choice had ended"
_NO_WORDS = b'{"message":"The upstream failed.","type":"upstream_error","param":null,"code":null}'


@dataclass(slots=True)
class _Part:
    """A delta's text: [start, end) of its channel."""

    delta: Delta
    start: int
    end: int


@dataclass(slots=True)
class _Held:
    """An event on its way out. `ends` are the choices that end with it, while it is not known whether they do."""

    event: Event
    document: Any = None
    parts: list[_Part] = field(default_factory=list)
    ends: Sequence[int] = ()


@dataclass(slots=True)
class _Taken:
    """An event that waits for a verdict. `late` are the choices of which it has text, and which have ended;
    `late_error` is the same of an error."""

    held: _Held
    reading: EventReading
    due: bool = False
    late: frozenset[int] = frozenset()
    late_error: bool = False


class Release:
    """One streamed answer's events.

    `choices` is how many the request asked for; `note` the `lockgate` object of our own chunks; `prompt_flags` go out
    with those of the first choice that ends. `finished`: nothing more will leave, the upstream can be let go.
    `failed`: the guard failed closed; the caller sends an error event.
    """

    def __init__(
        self, stream: Stream, lens: Lens, *, choices: int, note: dict[str, Any], prompt_flags: list[Flag]
    ) -> None:
        self._stream = stream
        self._lens = lens
        self._choices = choices
        self._note = note
        self._prompt_flags = prompt_flags
        self._queue: deque[_Held] = deque()
        self._pending: _Taken | None = None
        self._seen: dict[str, Any] = {}
        self._known: set[int] = set()
        self._ending: set[int] = set()
        self._ended: set[int] = set()
        self._refused: set[int] = set()
        self._done = False
        self._unread = 0
        self.finished = False
        self.failed: Verdict | None = None

    @property
    def holds(self) -> bool:
        """Something waits."""
        return bool(self._queue)

    async def add(self, event: Event) -> list[bytes]:
        """Take one event; give what may leave now."""
        out = self.add_now(event)
        return out if out is not None else await self.settle()

    def add_now(self, event: Event) -> list[bytes] | None:
        """Take one event. None: there is something to wait for, and `settle()` gives what may leave.

        Nearly every event is one delta that ends nothing: for those, no task is switched.
        """
        if not event.data:
            return self._let(_Held(event))
        if event.done:
            self._pending = _Taken(_Held(event), EventReading())
            return None
        taken = self._feed(event, *self._read(event))
        held = taken.held
        if not (taken.due or held.ends or self._ending or self._ended or self._stream.tripped):
            return self._let(held)
        self._pending = taken
        return None

    async def settle(self) -> list[bytes]:
        """Go on with the event that `add_now` could not finish."""
        taken, self._pending = self._pending, None
        assert taken is not None
        held = taken.held
        if taken.due:
            await self._stream.settle()
        if held.event.done:
            self._done = True
            out = await self._end(self._open())
            return out if self._over() else [*out, *self._let(held)]
        before = len(self._refused)
        out = await self._end(self._ending - self._go_on(held))
        if self._stream.tripped and not self._over():
            out.extend(await self._judge())
        if self._over():
            return out
        if self._may_stay(taken):
            out.extend(self._let(held))
        return [*out, *self._close()] if len(self._refused) > before else out

    async def end(self, *, cut: bool = False) -> list[bytes]:
        """The upstream's stream is over: what was held is decided as it stands. `cut`: it did not end as it should,
        and a choice that had not finished is not made to look whole."""
        if self._over():
            return []
        before, unfinished = len(self._refused), self._open() - self._ending
        out = await self._end(self._open())
        if self._over():
            return out
        out.extend(self._pop())
        if len(self._refused) == before or (cut and unfinished - self._refused):
            return out
        return [*out, *self._close()]

    def _over(self) -> bool:
        return self.finished or self.failed is not None

    def _open(self) -> set[int]:
        """The choices that have not ended; the first one, if none was ever heard of."""
        return self._known - self._ended or ({0} - self._ended if not self._known else set())

    # Reading.

    def _read(self, event: Event) -> tuple[Any, EventReading]:
        assert event.data is not None
        try:
            document = parse(event.data, lenient=True)
            reading = self._lens.read_event(document)
        except WireError:
            document, reading = None, self._unreadable(event.data)
        if reading.skipped:
            self._stream.skip(reading.skipped, reading.unknown)
        if document and not self._seen.get("id"):
            self._seen = document
        return document, reading

    def _unreadable(self, data: bytes) -> EventReading:
        """The policy's `unknown:` judges it, and its rules see its bare text."""
        self._unread += 1
        bare = Delta(0, f"#unread/{self._unread}", "", "text", unescaped(data), fixed=True)
        return EventReading([bare], skipped={"": "unread: unknown"}, unknown=[""])

    def _feed(self, event: Event, document: Any, reading: EventReading) -> _Taken:
        held = _Held(event, document)
        taken = _Taken(held, reading)
        if reading.ended:
            held.ends = [choice for choice in reading.ended if choice not in self._ended]
            self._known.update(held.ends)
        if reading.unknown:
            self._known.update(_choices_of(reading.unknown))  # of some there is nothing that is read
        for delta in reading.deltas:
            if delta.choice in self._ended:
                if delta.choice in self._refused or self._stream.acts_on(delta.channel, delta.kind):
                    self._stream.skip({delta.channel: WITHHELD}, [])
                    if delta.channel.startswith("/error"):
                        taken.late_error = True
                    else:
                        taken.late |= {delta.choice}
                continue
            self._known.add(delta.choice)
            due = self._stream.feed(delta.choice, delta.channel, delta.kind, delta.text, fixed=delta.fixed)
            taken.due = taken.due or due
            gate = self._stream.gate(delta.channel)
            if document is None:
                gate.flush()
                taken.due = taken.due or gate.waits
            end = gate.length
            held.parts.append(_Part(delta, end - len(delta.text), end))
        return taken

    # Deciding.

    async def _judge(self) -> list[bytes]:
        """Refusals and failures in mid-stream."""
        out: list[bytes] = []
        for choice in sorted(self._known - self._ended):
            if self._stream.refused(choice) or self._stream.closed(choice):
                out.extend(self._pop())
                verdict = await self._stream.end(choice)
                if verdict.unavailable or verdict.action is not Action.REFUSE:
                    return [*out, *self._fail(verdict)]
                out.extend(self._refuse(choice, verdict))
        return out

    async def _end(self, choices: Iterable[int]) -> list[bytes]:
        """Choices have ended by themselves: their verdicts, what those let out, and their flags."""
        out: list[bytes] = []
        for choice in sorted(choices):
            verdict = await self._stream.end(choice)
            if verdict.unavailable:
                return [*out, *self._fail(verdict)]
            if verdict.action is Action.REFUSE:
                out.extend(self._refuse(choice, verdict))
                continue
            self._ended.add(choice)
            self._flag(choice, verdict)
            self._ending.discard(choice)
            out.extend(self._pop())
        return out

    def _fail(self, verdict: Verdict) -> list[bytes]:
        """What is cleared leaves, and nothing more."""
        out = self._pop()
        self._queue.clear()
        self.failed = verdict
        self.finished = True
        return out

    def _refuse(self, choice: int, verdict: Verdict) -> list[bytes]:
        self._ended.add(choice)
        self._refused.add(choice)
        self._ending.discard(choice)
        self._queue = deque(held for held in self._queue if self._strip(held, {choice}))
        note = {**self._note, "action": "refuse", "rules": verdict.applied}
        if flags := self._flags(verdict):
            note["flags"] = [flag.public() for flag in flags]
        own = data_event(refusal_chunk(self._seen, choice, verdict.refused_choices.get(choice, ""), note))
        return [*self._pop(), own]

    def _flag(self, choice: int, verdict: Verdict) -> None:
        """The flags of a choice that has ended stand right before the event that ends it."""
        place = next((i for i, held in enumerate(self._queue) if choice in held.ends), len(self._queue))
        if place < len(self._queue):
            held = self._queue[place]
            held.ends = [other for other in held.ends if other != choice]
        if flags := self._flags(verdict):
            note = {**self._note, "action": verdict.action.word, "rules": verdict.applied}
            own = data_event(flag_chunk(self._seen, choice, flags, note))
            self._queue.insert(place, _Held(Event(own, None)))

    def _flags(self, verdict: Verdict) -> list[Flag]:
        flags = [*self._prompt_flags, *verdict.flags]
        self._prompt_flags = []
        return flags

    def _go_on(self, held: _Held) -> set[int]:
        """The choices that seemed to end and have more text in this event: they go on."""
        more = self._ending & {part.delta.choice for part in held.parts}
        for before in self._queue:
            before.ends = [choice for choice in before.ends if choice not in more]
        self._ending -= more
        return more

    def _close(self) -> list[bytes]:
        """Where a refusal has left nobody to speak: [DONE]."""
        if self._done or len(self._ended) < max(self._choices, len(self._known)):
            return []
        self.finished = True
        return [*self._pop(), DONE]

    # Letting out.

    def _let(self, held: _Held) -> list[bytes]:
        if not held.parts and not held.ends and not self._queue:
            return [held.event.raw]
        self._queue.append(held)
        if held.ends:
            self._ending.update(held.ends)
        return self._pop()

    def _may_stay(self, taken: _Taken) -> bool:
        """Take out of an event what may not leave. False: nothing of it is left."""
        unknown = taken.reading.unknown
        if unknown and self._stream.unknown_refused and not all(where.startswith("/choices/") for where in unknown):
            return False
        held = taken.held
        held.ends = [choice for choice in held.ends if choice not in self._ended]
        if held.document is None and taken.late:
            return False
        if taken.late_error:
            _replace(held, {"/error": _NO_WORDS})
        return self._strip(held, self._refused | taken.late)

    @staticmethod
    def _strip(held: _Held, gone: Collection[int]) -> bool:
        """Take choices out of an event. False: nothing of it is left."""
        if held.document is None:
            return not any(part.delta.choice in gone for part in held.parts)
        choices: Any = held.document.get("choices") if isinstance(held.document, dict) else None
        choices = choices if isinstance(choices, list) else []
        places = {i: index_of(c, i) for i, c in enumerate(choices) if index_of(c, i) in gone}
        if not places:
            return True
        if len(places) == len(choices):
            return False
        held.parts = [part for part in held.parts if part.delta.choice not in gone]
        held.ends = [choice for choice in held.ends if choice not in gone]
        _replace(held, {f"/choices/{i}": empty_choice(index) for i, index in places.items()})
        return True

    def _pop(self) -> list[bytes]:
        out: list[bytes] = []
        queue = self._queue
        while queue:
            held = queue[0]
            if held.ends:
                return out
            for part in held.parts:
                if self._stream.gate(part.delta.channel).cleared < part.end:
                    return out
            queue.popleft()
            out.append(self._bytes(held))
        return out

    def _bytes(self, held: _Held) -> bytes:
        values: dict[str, bytes] = {}
        for part in held.parts:
            gate = self._stream.gate(part.delta.channel)
            if not gate.edits:
                continue
            text = gate.edited(part.delta.text, part.start, part.end)
            if text is None:
                continue
            if not part.delta.channel.startswith(f"/choices/{part.delta.choice}/logprobs"):
                values[part.delta.where] = dump_string(text)
            for pointer in part.delta.drop:
                values[pointer] = b"null"
        if values:
            _replace(held, values)
        return held.event.raw


def _choices_of(pointers: Iterable[str]) -> set[int]:
    parts = (pointer.split("/", 3) for pointer in pointers)
    return {int(part[2]) for part in parts if len(part) > 2 and part[1] == "choices" and part[2].isdecimal()}


def _replace(held: _Held, values: Mapping[str, bytes]) -> None:
    assert held.event.data is not None
    data = splice(held.event.data, values)
    held.event = Event(rebuild(held.event, data), data)
