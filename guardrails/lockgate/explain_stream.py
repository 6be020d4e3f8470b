"""The streamed half of an explanation: an answer fed through the gates piece by piece, and what they held back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lockgate.exchange import Reading, Role, Segment
from lockgate.passage import Passage, Stream
from lockgate.verdict import Action, Verdict
from lockgate.wire.lens import Delta, EventReading

_PIECE = re.compile(r"\S{1,12}\s*|\s+")
"""How a plain answer is cut, to be looked at as a stream."""


@dataclass(slots=True)
class Told:
    """An answer both ways: as a plain `reading`, and as the `pieces` of a stream, event by event."""

    reading: Reading
    pieces: list[list[Delta]]
    skipped: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    document: Any = None

    @classmethod
    def of_answer(cls, document: Any, reading: Reading) -> Told:
        pieces = [
            [Delta(s.choice or 0, s.where, s.where, s.kind, piece, fixed=s.fixed)]
            for s in reading.segments
            for piece in _PIECE.findall(s.text)
        ]
        return cls(reading, pieces, dict(reading.skipped), list(reading.unknown), document)

    @classmethod
    def of_events(cls, events: Sequence[EventReading]) -> Told:
        reading = Reading()
        segments: dict[str, Segment] = {}
        for event in events:
            for delta in event.deltas:
                if delta.channel not in segments:
                    role: Role = "upstream" if delta.channel.startswith("/error") else "assistant"
                    segment = Segment(delta.channel, role, delta.kind, "", delta.choice, delta.fixed)
                    segments[delta.channel] = segment
                    reading.segments.append(segment)
                segments[delta.channel].text += delta.text
            reading.skipped.update(event.skipped)
            reading.unknown.extend(where for where in event.unknown if where not in reading.unknown)
        return cls(reading, [event.deltas for event in events], dict(reading.skipped), list(reading.unknown))


@dataclass(slots=True)
class _Channel:
    """What happens to one text of the stream."""

    choice: int
    text: str = ""
    most_held: int = 0
    early: int = 0


async def streamed(passage: Passage, told: Told, *, text: bool) -> dict[str, Any]:
    """Feed the answer, end its choices, and say what left and when."""
    stream = passage.stream()
    stream.skip(told.skipped, told.unknown)
    channels: dict[str, _Channel] = {}
    over: set[int] = set()
    for deltas in told.pieces:
        await _feed(stream, [delta for delta in deltas if delta.choice not in over], channels)
        over |= {
            choice
            for choice in {channel.choice for channel in channels.values()} - over
            if stream.refused(choice) or stream.closed(choice)
        }
    for name, channel in channels.items():
        channel.early = stream.gate(name).cleared
    choices = sorted({channel.choice for channel in channels.values()}) or [0]
    ends = {choice: await stream.end(choice) for choice in choices}
    verdict = stream.close()
    return {
        "action": "unavailable" if verdict.unavailable else verdict.action.word,
        "choices": [_end(choice, ended, in_middle=choice in over) for choice, ended in ends.items()],
        "texts": [_left(stream, name, channel, text=text) for name, channel in channels.items()],
        "most_held": stream.most_held,
        "flags": [flag.public() for flag in verdict.flags],
    }


async def _feed(stream: Stream, deltas: Sequence[Delta], channels: dict[str, _Channel]) -> None:
    for delta in deltas:
        channel = channels.setdefault(delta.channel, _Channel(delta.choice))
        channel.text += delta.text
        if stream.feed(delta.choice, delta.channel, delta.kind, delta.text, fixed=delta.fixed):
            await stream.settle()
        channel.most_held = max(channel.most_held, stream.gate(delta.channel).held)


def _end(choice: int, verdict: Verdict, *, in_middle: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"choice": choice, "ends": "as it came"}
    if verdict.unavailable:
        shown["ends"] = "error event, no [DONE]"
    elif verdict.action is Action.REFUSE:
        shown["ends"] = "content_filter"
        shown["message"] = verdict.refused_choices.get(choice, "")
    shown["stopped_midway"] = in_middle
    return shown


def _left(stream: Stream, name: str, channel: _Channel, *, text: bool) -> dict[str, Any]:
    """`came` and `left` in characters of the upstream's text; `left_before_the_end` is what had gone by the time the
    last piece came."""
    gate = stream.gate(name)
    came = channel.text
    shown: dict[str, Any] = {
        "where": name,
        "choice": channel.choice,
        "came": len(came),
        "left": gate.cleared,
        "left_before_the_end": channel.early,
        "most_held": channel.most_held,
    }
    out = gate.edited(came[: gate.cleared], 0, gate.cleared)
    shown["changed"] = out is not None
    if text:
        shown["text"] = came[: gate.cleared] if out is None else out
    return shown
