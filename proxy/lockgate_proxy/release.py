"""What of a streamed answer may leave, and in which bytes. No I/O.

Events wait here, in order, until their last character is cleared. An event that no edit touches leaves as the bytes
that came; only an edited one is rebuilt. The guard's own chunks (flags before a finish, the end of a refused choice)
are put in where they belong.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from lockgate.errors import WireError
from lockgate.passage import Stream
from lockgate.verdict import Action, Flag, Verdict
from lockgate.wire.chat_stream import flag_chunk, refusal_chunk
from lockgate.wire.document import dump_string, parse
from lockgate.wire.lens import Delta, EventReading, Lens
from lockgate.wire.splice import splice
from lockgate_proxy.sse import DONE, Event, data_event, rebuild


@dataclass(slots=True)
class _Part:
    """A delta's text: [start, end) of its channel."""

    delta: Delta
    start: int
    end: int


@dataclass(slots=True)
class _Held:
    event: Event
    parts: list[_Part] = field(default_factory=list)
    own: bytes = b""


@dataclass(slots=True)
class _Taken:
    """An event that waits for a verdict."""

    held: _Held
    document: Any
    reading: EventReading
    due: bool = False
    done: bool = False


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
        self._ended: set[int] = set()
        self._refused: set[int] = set()
        self.finished = False
        self.failed: Verdict | None = None
        if stream.failed_closed:
            self._known.add(0)

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
        if event.data is None:
            self._queue.append(_Held(event))
            return self._pop()
        if event.done:
            self._pending = _Taken(_Held(event), None, EventReading(), done=True)
            return None
        document, reading = self._read(event)
        held, due = self._feed(event, reading)
        if due or reading.ended or self._refused or self._stream.tripped:
            self._pending = _Taken(held, document, reading, due=due)
            return None
        return self._let(held)

    async def settle(self) -> list[bytes]:
        """Go on with the event that `add_now` could not finish."""
        taken, self._pending = self._pending, None
        assert taken is not None
        if taken.done:
            out = await self._end_all()
            return out if self._over() else [*out, *self._let(taken.held)]
        if taken.due:
            await self._stream.settle()
        out = await self._judge() if self._stream.tripped else []
        if self._over():
            return out
        if self._refused and not self._strip(taken.held, taken.document, taken.reading):
            return [*out, *self._pop()]
        for choice in taken.reading.ended:
            out.extend(await self._end(choice))
            if self._over():
                return out
            if choice in self._refused:
                return [*out, *self._pop()]
        return [*out, *self._let(taken.held)]

    def _let(self, held: _Held) -> list[bytes]:
        if not held.parts and not self._queue:
            return [held.event.raw]
        self._queue.append(held)
        return self._pop()

    async def end(self) -> list[bytes]:
        """The upstream's stream is over, properly or not: what was held is decided as it stands."""
        if self._over():
            return []
        out = await self._end_all()
        return [*out, *self._pop()]

    def _over(self) -> bool:
        return self.finished or self.failed is not None

    # Reading.

    def _read(self, event: Event) -> tuple[Any, EventReading]:
        assert event.data is not None
        try:
            document = parse(event.data)
            reading = self._lens.read_event(document)
        except WireError:
            self._stream.skip({"": "unread: unknown"}, [""])
            return None, EventReading()
        if reading.skipped:
            self._stream.skip(reading.skipped, reading.unknown)
        if not self._seen:
            self._seen = document
        return document, reading

    def _feed(self, event: Event, reading: EventReading) -> tuple[_Held, bool]:
        held = _Held(event)
        due = False
        for delta in reading.deltas:
            self._known.add(delta.choice)
            if delta.choice in self._refused:
                continue
            due = self._stream.feed(delta.choice, delta.channel, delta.kind, delta.text, fixed=delta.fixed) or due
            end = self._stream.gate(delta.channel).length
            held.parts.append(_Part(delta, end - len(delta.text), end))
        self._known.update(reading.ended)
        return held, due

    # Deciding.

    async def _judge(self) -> list[bytes]:
        """Refusals and failures in mid-stream."""
        out: list[bytes] = []
        for choice in sorted(self._known - self._ended):
            if self._stream.refused(choice) or self._stream.closed(choice):
                out.extend(self._pop())
                out.extend(await self._stop(choice))
                if self._over():
                    break
        return out

    async def _stop(self, choice: int) -> list[bytes]:
        verdict = await self._stream.end(choice)
        self._ended.add(choice)
        if verdict.unavailable or verdict.action is not Action.REFUSE:
            self.failed = verdict
            self.finished = True
            self._queue.clear()
            return []
        return self._refuse(choice, verdict)

    async def _end(self, choice: int) -> list[bytes]:
        """A choice has ended by itself: its verdict, what it lets out, and its flags."""
        if choice in self._ended:
            return []
        verdict = await self._stream.end(choice)
        self._ended.add(choice)
        if verdict.unavailable:
            self.failed = verdict
            self.finished = True
            out = self._pop()
            self._queue.clear()
            return out
        out = self._pop()
        if verdict.action is Action.REFUSE:
            return [*out, *self._refuse(choice, verdict)]
        flags = [*self._prompt_flags, *verdict.flags]
        self._prompt_flags = []
        if flags:
            note = {**self._note, "action": verdict.action.word, "rules": verdict.applied}
            own = data_event(flag_chunk(self._seen, choice, flags, note))
            self._queue.append(_Held(Event(own, None), own=own))
        return out

    async def _end_all(self) -> list[bytes]:
        out: list[bytes] = []
        for choice in sorted(self._known - self._ended) or ([0] if not self._ended else []):
            out.extend(await self._end(choice))
            if self._over():
                break
        return out

    def _refuse(self, choice: int, verdict: Verdict) -> list[bytes]:
        self._refused.add(choice)
        kept = deque(held for held in self._queue if not any(part.delta.choice == choice for part in held.parts))
        self._queue = kept
        note = {**self._note, "action": "refuse", "rules": verdict.applied}
        out = [data_event(refusal_chunk(self._seen, choice, verdict.refused_choices.get(choice, ""), note))]
        if len(self._refused | self._ended) >= max(self._choices, len(self._known)):
            out.extend(self._pop())
            out.append(DONE)
            self.finished = True
        return out

    # Letting out.

    def _strip(self, held: _Held, document: Any, reading: EventReading) -> bool:
        """Take what belongs to a refused choice out of an event. False: nothing of it is left."""
        choices = document.get("choices") if isinstance(document, dict) else None
        if not isinstance(choices, list) or not choices:
            return True
        indexes = [choice.get("index", i) for i, choice in enumerate(choices)]
        gone = [i for i, index in enumerate(indexes) if index in self._refused]
        if not gone:
            return True
        reading.ended = [choice for choice in reading.ended if choice not in self._refused]
        held.parts = [part for part in held.parts if part.delta.choice not in self._refused]
        if len(gone) == len(choices):
            return False
        assert held.event.data is not None
        values: dict[str, bytes] = {}
        for i in gone:
            values[f"/choices/{i}/delta"] = b"{}"
            for key in ("finish_reason", "logprobs"):
                if choices[i].get(key) is not None:
                    values[f"/choices/{i}/{key}"] = b"null"
        data = splice(held.event.data, values)
        held.event = Event(rebuild(held.event, data), data)
        return True

    def _pop(self) -> list[bytes]:
        out: list[bytes] = []
        queue = self._queue
        while queue:
            held = queue[0]
            for part in held.parts:
                if self._stream.gate(part.delta.channel).cleared < part.end:
                    return out
            queue.popleft()
            out.append(held.own or self._bytes(held))
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
            if part.delta.drop != part.delta.where and not part.delta.channel.startswith(
                f"/choices/{part.delta.choice}/logprobs"
            ):
                values[part.delta.where] = dump_string(text)
            if part.delta.drop:
                values[part.delta.drop] = b"null"
        if not values:
            return held.event.raw
        assert held.event.data is not None
        return rebuild(held.event, splice(held.event.data, values))
