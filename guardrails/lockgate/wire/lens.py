"""What a lens is: one API's knowledge of where its texts stand; and a dialect, which also knows how the guard speaks in
that API. No policy, no sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lockgate.exchange import Exchange, Kind, Reading, Subject
from lockgate.verdict import Edit, Flag

Note = dict[str, Any]
"""The `lockgate` object of an answer or an event."""

Said = tuple[str, bytes]
"""An event of the guard's own: its name ("" where the API's events have none) and its data, a JSON text."""


@dataclass(slots=True)
class RequestReading(Reading):
    """A request: its texts, who asks (`subject`, without tags), whether it wants a stream, how many choices."""

    subject: Subject = field(default_factory=Subject)
    stream: bool = False
    choices: int = 1


@dataclass(slots=True)
class Delta:
    """One piece of a streamed text.

    `where` points into the event; `channel` is the pointer at which the whole text stands in the equivalent plain
    answer, so that both paths report the same places. `drop` are pointers of the event whose values spell the same
    text (log probabilities, token ids) and become null when the text is edited. A `whole` text comes in one piece.
    `again`: it is all that the channel has said, and where it was said before, it is not another text.
    """

    choice: int
    channel: str
    where: str
    kind: Kind
    text: str
    drop: tuple[str, ...] = ()
    fixed: bool = False
    whole: bool = False
    again: bool = False


@dataclass(slots=True)
class Cite:
    """An event's citation, which points into the text of `channel` as far as `reach` (an offset).

    `moved` tells its offsets, by pointer into the event, once that text was edited; None: what it cites was edited, and
    the array's item at `item` goes, or the event where there is none. `number` is its place among its text's citations,
    which stands at `counted`.
    """

    channel: str
    reach: int
    moved: Callable[[Sequence[Edit]], dict[str, int] | None]
    number: int = 0
    counted: str = ""
    item: str = ""


@dataclass(slots=True)
class EventReading:
    """One event of a stream: its deltas, the choices that end with it, and what is not read."""

    deltas: list[Delta] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    cites: list[Cite] = field(default_factory=list)


class Lens(Protocol):
    """One API of the wire."""

    dialect: str

    def read_request(self, document: Any) -> RequestReading: ...

    def read_answer(self, document: Any) -> Reading: ...

    def read_event(self, document: Any) -> EventReading: ...


class Voice(Protocol):
    """What the guard itself says in one streamed answer. It hears what the upstream says, to sound like it."""

    def hear(self, document: Any) -> None:
        """An event that was read. Not told of ordinary ones, which differ from one before in their text alone."""

    def flags(self, choice: int, flags: Sequence[Flag], note: Note) -> list[Said]:
        """The flags of a choice, said before the event with which it ends."""
        ...

    follows: bool = False
    """Whether it wants to know what has left."""

    def left(self, document: Any) -> None:  # noqa: ARG002 - most have no need to know
        """An event of the upstream's has left, as it stands here."""
        return

    def refuse(self, choice: int, message: str, note: Note) -> list[Said]:
        """The end of a refused choice. `message` may be empty."""
        ...

    def fail(self, error: Mapping[str, Any]) -> Said:
        """The stream can't go on: its last event."""
        return "error", json.dumps({"error": error}, ensure_ascii=False).encode("utf-8", "backslashreplace")


class Dialect(Lens, Protocol):
    """One API that is guarded: its lens, and how an answer of it is refused, made up and edited.

    A choice is what can be refused by itself: one of `n`, a list's item, or all there is. Of the methods, those that
    have a body suit most APIs.
    """

    operation: str
    """What the API does, as the GenAI conventions name it: `gen_ai.operation.name`. Empty where no model is asked."""
    path: str
    """Below the base URL, for telemetry: ``/chat/completions``."""
    done: bool
    """Whether its streams end with ``[DONE]``."""
    repeats: bool = False
    """Whether its streams say a text again when it is whole, and cite in events of their own."""
    dropped: bytes = b"null"
    """What stands in the place of what spelled an edited text in a delta."""
    stored: bool = False
    """Whether it gets what was said before, and its requests may have no body; `read_request` is then given None."""

    # A request.

    def answering(self, exchange: Exchange, edits: Sequence[Edit]) -> Dialect:  # noqa: ARG002
        """The dialect of the answer to one request, which left with these edits."""
        return self

    def param(self, where: str) -> str | None:
        """What a client can drop of a request that was refused for what stands at `where`; None: nothing of it."""
        return param_of(where)

    # A plain answer.

    def choices(self, document: Any) -> int:
        """How many choices an answer has that can be refused."""
        ...

    def refuse(self, body: bytes, document: Any, refused: Mapping[int, str]) -> bytes:
        """`body` with each refused choice (by its position) replaced by a refusal with its message."""
        ...

    def dependants(self, document: Any, where: str, edits: Sequence[Edit]) -> dict[str, bytes | None]:  # noqa: ARG002
        """What depends on an edited text: pointer → its new JSON."""
        return {}

    def refusal(self, exchange: Exchange, message: str) -> dict[str, Any] | None:
        """An answer that never was: a refusal in the shape of one. Its `lockgate` object is added to it. None: answers of
        this API can't refuse, and an error does."""
        ...

    # A streamed one.

    def noted(self, data: bytes, note: Note) -> bytes | None:  # noqa: ARG002
        """The event that ends a choice, with flags in it; None: they are said in an event of their own."""
        return None

    def voice(self) -> Voice:
        """What the guard says in one stream."""
        ...

    def strip(self, document: Any, gone: Collection[int]) -> dict[str, bytes] | None:
        """What to put where into an event, so that nothing of those choices is left. Empty: it has nothing of them;
        None: it has nothing else."""
        ...

    def refusal_stream(self, exchange: Exchange, message: str, note: Note) -> list[Said]:
        """A stream that never was: a refusal in the shape of one, without its ``[DONE]``."""
        ...

    # What telemetry reads.

    def told(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object of an answer or an event that has `id`, `model` and `usage`."""
        return document


def param_of(where: str) -> str | None:
    """`/messages/2/content/0/text` → `messages[2]`: what a client can drop. None where nothing is named."""
    parts = where.split("/")
    if len(parts) >= 3 and parts[2].isdecimal():
        return f"{parts[1]}[{parts[2]}]"
    return parts[1] if len(parts) >= 2 else None


def choice_of(where: str) -> int | None:
    """The choice that a pointer into an answer is about: ``/choices/1/…`` or, in a list of answers, ``/data/1/…``. None
    if it is about none."""
    parts = where.split("/", 3)
    return int(parts[2]) if len(parts) > 2 and parts[1] in ("choices", "data") and parts[2].isdecimal() else None
