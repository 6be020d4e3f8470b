"""What a lens is: one API's knowledge of where its texts stand. No policy, no sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from lockgate.exchange import Kind, Reading, Subject


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
    """

    choice: int
    channel: str
    where: str
    kind: Kind
    text: str
    drop: tuple[str, ...] = ()
    fixed: bool = False
    whole: bool = False


@dataclass(slots=True)
class EventReading:
    """One event of a stream: its deltas, the choices that end with it, and what is not read."""

    deltas: list[Delta] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


class Lens(Protocol):
    """One API of the wire."""

    dialect: str

    def read_request(self, document: Any) -> RequestReading: ...

    def read_answer(self, document: Any) -> Reading: ...

    def read_event(self, document: Any) -> EventReading: ...
