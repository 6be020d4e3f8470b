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
from collections.abc import Iterable
from typing import Any

from lockgate.errors import WireError
from lockgate.passage import Stream
from lockgate.verdict import Action, Flag, Verdict
from lockgate.wire.document import parse
from lockgate.wire.lens import Delta, Dialect, EventReading, choice_of
from lockgate_proxy.held import Held, Part, Taken, choices_of, cited, unreadable
from lockgate_proxy.ordinary import Spellings
from lockgate_proxy.repeats import Repeats
from lockgate_proxy.sse import DONE, Event, own_event

WITHHELD = "withheld: came after its choice had ended"
MAX_WAITING = 16 * 1024 * 1024
"""Most bytes of events that wait, unless said otherwise."""
BESIDE_DATA = "skipped: lines of events that are not their data"
_LINES = "#lines"
_NO_WORDS = b'{"message":"The upstream failed.","type":"upstream_error","param":null,"code":null}'


class Release:
    """One streamed answer's events.

    `choices` is how many the request asked for; `note` the `lockgate` object of our own chunks; `prompt_flags` go out
    with those of the first choice that ends. `finished`: nothing more will leave, the upstream can be let go.
    `failed`: the guard failed closed; the caller sends an error event. `limit` bounds the events that wait, in bytes:
    beyond it, what the first of them waits for is given up. `voice` is what the guard says in it.
    """

    def __init__(
        self,
        stream: Stream,
        dialect: Dialect,
        *,
        choices: int,
        note: dict[str, Any],
        prompt_flags: list[Flag],
        limit: int = MAX_WAITING,
    ) -> None:
        self._stream = stream
        self._dialect = dialect
        self.voice = dialect.voice()
        self._repeats = Repeats(stream) if dialect.repeats else None
        self._choices = choices
        self._note = note
        self._prompt_flags = prompt_flags
        self._limit = limit
        self._queue: deque[Held] = deque()
        self._size = 0  # bytes in the queue
        self._ready: list[bytes] | None = None  # what may leave, where more waits than may
        self._spellings = Spellings()
        self._smooth = False  # nothing has ended or is about to: ordinary events go by
        self._pending: Taken | None = None
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
        """Take one event. None: there is something to wait for, and `settle()` gives what may leave."""
        if not event.data:
            self._note_lines(event)
            return self._bounded(self._let(Held(event)))
        passed = self.pass_by(event.raw)
        if passed is not None or self.waits:
            return passed
        self._smooth = False
        self._note_lines(event)
        if event.done:
            self._pending = Taken(Held(event), [])
            return None
        taken = self._feed(event, *self._read(event))
        held = taken.held
        if taken.due or taken.late or held.ends or self._ending or self._ended or self._stream.tripped:
            self._pending = taken
            return None
        self._smooth = True
        return self._bounded(self._let(held))

    def pass_by(self, raw: bytes) -> list[bytes] | None:
        """Take an ordinary event, given as its bytes; give what may leave now. None: it is no such event, and nothing
        has been done; unless `waits`, then it was taken, and `settle()` goes on with it."""
        if not self._smooth:
            return None
        found = self._spellings.find(raw)
        if found is None:
            return None
        ordinary, text = found
        gate = ordinary.gate
        due = self._stream.more(gate, text)
        if not (due or self._queue or gate.edits) and gate.cleared == gate.length:
            return [raw]
        held = Held(Event(raw, raw[6:-2]), [Part(gate, text, gate.length, ordinary.where)])
        if due:
            self._smooth = False
            self._pending = Taken(held, [], due=True)
            return None
        self._queue.append(held)
        self._size += held.size
        return self._bounded(self._pop())

    @property
    def waits(self) -> bool:
        """An event was taken that waits for `settle()`."""
        return self._pending is not None or self._ready is not None

    async def settle(self) -> list[bytes]:
        """Go on with the event that `add_now` or `pass_by` could not finish."""
        if self._ready is not None:
            return await self._relieve()
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
            if self._size > self._limit:
                out.extend(await self._relieve())
        self._smooth = self._is_smooth()
        return [*out, *self._close()] if len(self._refused) > before and not self._over() else out

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
            reading = self._dialect.read_event(document)
        except WireError:
            self._unread += 1
            document, reading = None, unreadable(event.data, self._unread)
        if reading.skipped:
            self._stream.skip(reading.skipped, reading.unknown)
        if document is not None:
            self.voice.hear(document)
        return document, reading

    def _note_lines(self, event: Event) -> None:
        if event.has_more:
            self._stream.skip({_LINES: BESIDE_DATA}, [])

    def _feed(self, event: Event, document: Any, reading: EventReading) -> Taken:
        held = Held(event, unread=document is None)
        taken = Taken(held, reading.unknown)
        if reading.ended:
            held.ends = [choice for choice in reading.ended if choice not in self._ended]
            self._known.update(held.ends)
        if reading.unknown:
            self._known.update(choices_of(reading.unknown))  # of some there is nothing that is read
        for delta in reading.deltas:
            if delta.choice in self._ended:
                self._late(taken, delta)
                continue
            self._known.add(delta.choice)
            if self._repeats is None or document is None:
                taken.feed(self._stream, delta, ended=document is None)
            elif not self._repeats.feed(delta, taken):
                self._late(taken, delta)
        repeats = self._repeats
        held.parts.extend(repeats.cited(reading.cites) if repeats else cited(self._stream, reading.cites))
        if repeats is None and len(reading.deltas) == 1 and len(held.parts) == 1 and document is not None:
            self._spellings.learn(event, reading, held.parts[0].gate)
        return taken

    def _late(self, taken: Taken, delta: Delta) -> None:
        """Text of a choice that has ended."""
        if delta.choice not in self._refused and not self._stream.acts_on(delta.channel, delta.kind):
            return
        self._stream.skip({delta.channel: WITHHELD}, [])
        if delta.channel.startswith("/error"):
            taken.late_error = True
        else:
            taken.late |= {delta.choice}

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
        self._size = 0
        self.failed = verdict
        self.finished = True
        return out

    def _refuse(self, choice: int, verdict: Verdict) -> list[bytes]:
        self._ended.add(choice)
        self._refused.add(choice)
        self._ending.discard(choice)
        self._queue = deque(held for held in self._queue if held.strip(self._dialect, {choice}))
        self._size = sum(held.size for held in self._queue)
        note = {**self._note, "action": "refuse", "rules": verdict.applied, **verdict.told}
        if flags := self._flags(verdict):
            note["flags"] = [flag.public() for flag in flags]
        own = self.voice.refuse(choice, verdict.refused_choices.get(choice, ""), note)
        return [*self._pop(), *(own_event(*said) for said in own)]

    def _flag(self, choice: int, verdict: Verdict) -> None:
        """The flags of a choice that has ended stand right before the event that ends it."""
        place = len(self._queue)
        if choice in self._ending:
            place = next((i for i, held in enumerate(self._queue) if choice in held.ends), place)
        if place < len(self._queue):
            held = self._queue[place]
            held.ends = [other for other in held.ends if other != choice]
        if flags := self._flags(verdict):
            note = {**self._note, "action": verdict.action.word, "rules": verdict.applied}
            if place < len(self._queue) and self._queue[place].note(self._dialect, note, flags):
                return
            for i, said in enumerate(self.voice.flags(choice, flags, note)):
                own = Held(Event(own_event(*said), None))
                self._queue.insert(place + i, own)
                self._size += own.size

    def _flags(self, verdict: Verdict) -> list[Flag]:
        flags = [*self._prompt_flags, *verdict.flags]
        self._prompt_flags = []
        return flags

    def _go_on(self, held: Held) -> set[int]:
        """The choices that seemed to end and have more text in this event: they go on."""
        more = self._ending & {part.gate.choice for part in held.parts if part.gate.choice is not None}
        for before in self._queue:
            before.ends = [choice for choice in before.ends if choice not in more]
        self._ending -= more
        return more

    def _close(self) -> list[bytes]:
        """Where a refusal has left nobody to speak: the end."""
        if self._done or len(self._ended) < max(self._choices, len(self._known)):
            return []
        self.finished = True
        return [*self._pop(), DONE] if self._dialect.done else self._pop()

    # Letting out.

    def _let(self, held: Held) -> list[bytes]:
        if not held.parts and not held.ends and not self._queue:
            return [self._leave(held)]
        self._queue.append(held)
        self._size += held.size
        if held.ends:
            self._ending.update(held.ends)
        return self._pop()

    def _leave(self, held: Held) -> bytes:
        raw = held.leave(self._dialect)
        if self.voice.follows and raw and held.event.data is not None and not (held.unread or held.event.done):
            self.voice.left(parse(held.event.data, lenient=True))
        return raw

    def _may_stay(self, taken: Taken) -> bool:
        """Take out of an event what may not leave. False: nothing of it is left."""
        unknown = taken.unknown
        if unknown and self._stream.unknown_refused and not all(choice_of(where) is not None for where in unknown):
            return False
        held = taken.held
        held.ends = [choice for choice in held.ends if choice not in self._ended]
        if held.unread and taken.late:
            return False
        if taken.late_error:
            held.replace({"/error": _NO_WORDS})
        return held.strip(self._dialect, self._refused | taken.late)

    def _pop(self) -> list[bytes]:
        out: list[bytes] = []
        queue = self._queue
        while queue:
            held = queue[0]
            if held.ends:
                return out
            for part in held.parts:
                if part.gate.cleared < part.end:
                    return out
            queue.popleft()
            self._size -= held.size
            out.append(self._leave(held))
        return out

    def _bounded(self, out: list[bytes]) -> list[bytes] | None:
        if self._size <= self._limit:
            return out
        self._smooth = False
        self._ready = out
        return None

    async def _relieve(self) -> list[bytes]:
        """What the first events wait for is given up: one gate after another; a finish is taken for one."""
        out, self._ready = self._ready or [], None
        before = len(self._refused)
        while self._size > self._limit and not self._over() and self._queue:
            first = self._queue[0]
            gate = first.blocker
            if first.ends and len(self._queue) > 1:
                out.extend(await self._end(first.ends))
                continue
            if first.ends or gate is None:
                break
            self._stream.give_up(gate, overflow=True)
            await self._stream.settle()
            if self._stream.tripped:
                out.extend(await self._judge())
            out.extend(self._pop())
            if self._queue and self._queue[0].blocker is gate:
                break
        self._smooth = self._is_smooth()
        return [*out, *self._close()] if len(self._refused) > before and not self._over() else out

    def _is_smooth(self) -> bool:
        return not (self._ending or self._ended or self._stream.tripped or self._over())
