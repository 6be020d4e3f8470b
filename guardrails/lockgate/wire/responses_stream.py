"""The Responses API's stream: where the texts of its events stand.

A delta's channel is the pointer at which the same text stands in the plain answer. One text comes up to five times: in
deltas, then whole (a copy) when its text, its part, its item and the response are done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from lockgate.errors import WireError
from lockgate.exchange import Kind, Reading, Segment
from lockgate.verdict import Edit
from lockgate.wire.lens import Cite, Delta, EventReading
from lockgate.wire.logprobs import spell
from lockgate.wire.pointer import escape
from lockgate.wire.responses_edit import moved_note, reach
from lockgate.wire.responses_fields import ANSWER_SKIPPED
from lockgate.wire.responses_items import Items, is_plain
from lockgate.wire.responses_read import ECHO, read_answer


class Text(NamedTuple):
    """The events of one text: where it stands below its item, the member of a `done` event that has it whole."""

    where: str
    whole: str
    kind: Kind


TEXTS: dict[str, Text] = {
    "output_text": Text("/content/{content_index}/text", "text", "text"),
    "refusal": Text("/content/{content_index}/refusal", "refusal", "text"),
    "reasoning_text": Text("/content/{content_index}/text", "text", "reasoning"),
    "reasoning_summary_text": Text("/summary/{summary_index}/text", "text", "reasoning"),
    "function_call_arguments": Text("/arguments", "arguments", "tool_call"),
    "mcp_call_arguments": Text("/arguments", "arguments", "tool_call"),
    "custom_tool_call_input": Text("/input", "input", "tool_call"),
    "code_interpreter_call_code": Text("/code", "code", "tool_call"),
    "shell_call_command": Text("/action/commands/{command_index}", "command", "tool_call"),
}
"""What comes in deltas: ``response.NAME.delta``, ``.done``, and of a command ``.added``."""
PARTS = {"content_part": "/content/{content_index}", "reasoning_summary_part": "/summary/{summary_index}"}
LIFE = frozenset({"created", "queued", "in_progress", "completed", "incomplete", "failed"})
LAST = frozenset({"completed", "incomplete", "failed"})
_GROWS = re.compile(
    r"/output/\d+/(?:content/\d+/(?:text|refusal)|summary/\d+/text|arguments|input|code|action/commands/\d+)"
)
_PROGRESS = re.compile(
    r"(?:web_search_call|file_search_call|code_interpreter_call|image_generation_call|mcp_call|mcp_list_tools|compaction)"
    r"\.(?:in_progress|searching|interpreting|generating|completed|failed|compacting)"
)
_PLAIN = frozenset(
    {
        "type", "sequence_number", "item_id", "output_index", "content_index", "summary_index", "command_index",
        "annotation_index", "partial_image_index", "status", "background", "output_format", "quality", "size",
    }
)  # fmt: skip
_INDEX = re.compile(r"\{(\w+)\}")


def read_event(document: Any) -> EventReading:
    """The texts of one event. Raises WireError where it can't be one."""
    if not isinstance(document, dict):
        raise WireError("an event's data must be a JSON object", code="invalid_type")
    event = _Event(document)
    name = document.get("type")
    if isinstance(name, str):
        event.read(name)
    else:
        event.unknown("type")
    return event.reading


class _Event:
    def __init__(self, document: dict[str, Any]) -> None:
        self.reading = EventReading()
        self._document = document
        self._rest = set(document)

    def read(self, name: str) -> None:
        family, _, step = name.removeprefix("response.").rpartition(".")
        if name == "error":
            for key in ("message", "code", "param", "error"):
                self._value(key, "/error" if key == "error" else f"/error/{key}")
        elif name == f"response.{step}" and step in LIFE:
            self._below("response", read_answer, "", again=True)
            self.reading.skipped.pop("/output", None)
            if step in LAST:
                self.reading.ended.append(0)
        elif family == "output_item" and step in ("added", "done"):
            self._below("item", _item, self._at(""), again=step == "done")
        elif family in PARTS and step in ("added", "done"):
            self._below("part", _part(family), self._at(PARTS[family]), again=step == "done")
        elif family == "output_text.annotation" and step == "added":
            self._annotation()
        elif family in TEXTS and step in ("delta", "done", "added"):
            self._text(TEXTS[family], step)
        elif family == "shell_call_output_content" and step in ("delta", "done"):
            self._shell_output(step)
        elif name == "response.audio.transcript.delta":
            self._piece("delta", "/audio/transcript", "text")
        else:
            self._other(name, family, step)
        for key in self._rest - _PLAIN:
            if key in ANSWER_SKIPPED or key == "obfuscation":
                self.reading.skipped[f"/{key}"] = ANSWER_SKIPPED.get(key, "padding: the upstream's")
            elif self._document[key] is not None:
                self.unknown(key)
        for key in self._rest & _PLAIN:
            if not is_plain(self._document[key]):
                self.unknown(key)

    def unknown(self, key: str) -> None:
        where = f"/{escape(key)}"
        self.reading.skipped[where] = "unread: unknown"
        self.reading.unknown.append(where)

    def _other(self, name: str, family: str, step: str) -> None:
        if name in ("response.audio.delta", "response.image_generation_call.partial_image"):
            key = "delta" if step == "delta" else "partial_image_b64"
            self._rest.discard(key)
            self.reading.skipped[f"/{key}"] = "audio: not text" if step == "delta" else "image: not text"
        elif not (_PROGRESS.fullmatch(f"{family}.{step}") or name in _QUIET):
            self.unknown("type")
            self._rest = set()  # all of it is unknown, and that is said once

    def _at(self, where: str) -> str:
        """A pointer into the plain answer, by the event's indexes. One that is none is no number: no other event has it."""
        return f"/output/{self._index('output_index')}" + _INDEX.sub(lambda m: str(self._index(m[1])), where)

    def _index(self, key: str) -> object:
        index = self._document.get(key)
        return index if type(index) is int and index >= 0 else "-"

    def _text(self, text: Text, step: str) -> None:
        channel = self._at(text.where)
        if step == "delta":
            self._piece("delta", channel, text.kind)
        elif step == "added":
            self._piece(text.whole, channel, text.kind)
        else:
            if isinstance(self._document.get("name"), str):
                self._copy("name", self._at("/name"), "tool_call", fixed=True)
            self._copy(text.whole, channel, text.kind)
        if self._document.get("logprobs") is not None and text.kind == "text":
            self._logprobs(channel, text.whole if step == "done" else "delta")

    def _piece(self, key: str, channel: str, kind: Kind) -> None:
        self._rest.discard(key)
        value = self._document.get(key)
        if isinstance(value, str):
            if value:
                self._add(Delta(0, channel, f"/{key}", kind, value))
        elif value is not None:
            self.unknown(key)

    def _copy(self, key: str, channel: str, kind: Kind, *, fixed: bool = False) -> None:
        self._rest.discard(key)
        value = self._document.get(key)
        if isinstance(value, str):
            self._add(Delta(0, channel, f"/{key}", kind, value, fixed=fixed, again=True))
        elif value is not None:
            self.unknown(key)

    def _add(self, delta: Delta) -> None:
        self.reading.deltas.append(delta)

    def _logprobs(self, channel: str, key: str) -> None:
        """They spell the text; where they don't, they are read as a text of their own."""
        self._rest.discard("logprobs")
        value = self._document["logprobs"]
        if not isinstance(value, list):
            self.unknown("logprobs")
            return
        spelled = spell(value)
        at = f"{channel.rpartition('/')[0]}/logprobs"
        for delta in self.reading.deltas:
            if delta.channel == channel:
                delta.drop = ("/logprobs",)
        if spelled == (self._document.get(key) or ""):
            if value:
                self.reading.skipped[at] = "spells: text, which is read; dropped if that is edited"
        elif spelled:
            self._add(Delta(0, at, "/logprobs", "text", spelled, drop=("/logprobs",), again=key != "delta"))

    def _value(self, key: str, channel: str) -> None:
        """Strings that come whole."""
        self._rest.discard(key)
        found = Reading()
        Items(found, 0).strings("", self._document.get(key), "upstream", "text")
        self._found(found, f"/{key}", channel, again=True)

    def _below(self, key: str, read: Any, channel: str, *, again: bool) -> None:
        """An object that stands in the plain answer as well, and all its texts."""
        self._rest.discard(key)
        value = self._document.get(key)
        if value is None:
            return
        if not isinstance(value, dict):
            self.unknown(key)
            return
        self._found(read(value), f"/{key}", channel, again=again)

    def _found(self, found: Reading, where: str, channel: str, *, again: bool) -> None:
        for segment in found.segments:
            name = channel + segment.where
            self._add(
                Delta(
                    0, name, where + segment.where, segment.kind, segment.text, fixed=segment.fixed,
                    again=again or not _GROWS.fullmatch(name), drop=_spelled(segment, where, found),
                )
            )  # fmt: skip
        for at, reason in found.skipped.items():
            self.reading.skipped[channel + at] = reason
        self.reading.unknown.extend(channel + at for at in found.unknown)

    def _annotation(self) -> None:
        part = self._at("/content/{content_index}")
        channel = f"{part}/annotations/{self._index('annotation_index')}"
        self._below("annotation", _annotation, channel, again=True)
        if isinstance(self._document.get("annotation"), dict):
            note, number = self._document["annotation"], self._document.get("annotation_index")
            self.reading.cites.append(
                Cite(
                    f"{part}/text",
                    reach(note),
                    partial(_moved, note),
                    number if type(number) is int else 0,
                    "/annotation_index",
                )
            )

    def _shell_output(self, step: str) -> None:
        at = self._at("/output/{command_index}")
        if step == "done":
            self._rest.discard("output")
            found = Reading()
            Items(found, 0).strings("", self._document.get("output"), "tool", "tool_result")
            self._found(found, "/output", self._at("/output"), again=True)
            return
        self._rest.discard("delta")
        found = Reading()
        Items(found, 0).strings("", self._document.get("delta"), "tool", "tool_result")
        for segment in found.segments:
            self._add(Delta(0, at + segment.where, "/delta" + segment.where, "tool_result", segment.text))


_QUIET = frozenset({"keepalive", "response.audio.done", "response.audio.transcript.done"})


def _spelled(segment: Segment, where: str, found: Reading) -> tuple[str, ...]:
    """Log probabilities beside a text of an object: they go with it."""
    beside = f"{segment.where.rpartition('/')[0]}/logprobs"
    return (where + beside,) if beside in found.skipped else ()


def _item(value: Mapping[str, Any]) -> Reading:
    found = Reading()
    Items(found, 0).item("", value)
    return found


def _part(family: str) -> Any:
    def read(value: Mapping[str, Any]) -> Reading:
        found = Reading()
        Items(found, 0).part("", value, "assistant", "text" if family == "content_part" else "reasoning")
        return found

    return read


def _moved(note: Any, edits: Sequence[Edit]) -> dict[str, int] | None:
    moved = moved_note(note, edits)
    return None if moved is None else {f"/annotation/{key}": offset for key, offset in moved.items()}


def _annotation(value: Mapping[str, Any]) -> Reading:
    found = Reading()
    Items(found, 0).annotation("", value, "assistant")
    return found


def drop_echo(reading: EventReading, sent: Mapping[str, str]) -> None:
    """Less what a response repeats of its request: the same text at the same place."""
    left = []
    for delta in reading.deltas:
        if sent.get(delta.channel) == delta.text and not delta.channel.startswith("/output"):
            reading.skipped[delta.channel] = ECHO
        else:
            left.append(delta)
    reading.deltas = left
