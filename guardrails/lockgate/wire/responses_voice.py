"""What the guard itself says in a stream of the Responses API.

A refusal has to fit what has left before: it closes what is open, under the numbers and ids that the client knows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lockgate.verdict import Flag
from lockgate.wire.lens import Note, Said, Voice
from lockgate.wire.responses_edit import made_up, refusal_item, refused
from lockgate.wire.responses_stream import LIFE, TEXTS

_SPOKEN = {"output_text": "output_text", "reasoning_text": "reasoning_text", "refusal": "refusal"}
"""Type of a part of an item's content → the events that carry its text."""


class ResponsesVoice(Voice):
    """Follows one stream: `hear` is told of events as they were read, `left` of events as they left."""

    follows = True

    def __init__(self, exchange_id: str, model: str) -> None:
        self._id = exchange_id
        self._model = model
        self._heard: dict[str, Any] = {}  # the response, as its first event had it
        self._response: dict[str, Any] | None = None  # as it left
        self._items: dict[int, dict[str, Any]] = {}  # those that are open or done, as they left
        self._done: set[int] = set()
        self._text: list[str] = []  # of the part that is open
        self._part: tuple[int, str, int, str] | None = None  # item, list, index, type
        self._number = -1

    def hear(self, document: Any) -> None:
        response = document.get("response") if isinstance(document, dict) else None
        if not self._heard and isinstance(response, dict):
            self._heard = response

    def left(self, document: Any) -> None:
        """An event has left."""
        if not isinstance(document, dict):
            return
        number = document.get("sequence_number")
        self._number = max(self._number + 1, number) if type(number) is int else self._number + 1
        name = document.get("type")
        family, _, step = str(name).removeprefix("response.").rpartition(".")
        index = document.get("output_index")
        at = index if type(index) is int else -1
        if not family and step in LIFE and isinstance(document.get("response"), dict):
            self._response = document["response"]
        elif family == "output_item" and isinstance(document.get("item"), dict):
            self._items[at] = document["item"]
            self._part = None
            if step == "done":
                self._done.add(at)
        elif family in ("content_part", "reasoning_summary_part") and isinstance(document.get("part"), dict):
            self._part_event(at, family == "content_part", step, document)
        elif step == "delta" and family in TEXTS and self._part is not None and isinstance(document.get("delta"), str):
            self._text.append(document["delta"])

    def _part_event(self, at: int, content: bool, step: str, document: Mapping[str, Any]) -> None:
        part = document["part"]
        position = document.get("content_index" if content else "summary_index")
        if step == "added":
            where = "content" if content else "summary"
            self._part = (at, where, position if type(position) is int else 0, str(part.get("type")))
            text = part.get("text") or part.get("refusal")
            self._text = [text] if isinstance(text, str) else []
        else:
            self._part = None
            if at in self._items:
                self._keep(at, "content" if content else "summary", part)

    def _keep(self, at: int, where: str, part: dict[str, Any]) -> None:
        item = self._items[at]
        before = item.get(where)
        self._items[at] = {**item, where: [*(before if isinstance(before, list) else []), part]}

    def flags(self, choice: int, flags: Sequence[Flag], note: Note) -> list[Said]:  # noqa: ARG002 - they go in the last event
        return []

    def refuse(self, choice: int, message: str, note: Note) -> list[Said]:  # noqa: ARG002 - there is one choice
        """Close what is open, refuse, and end the response."""
        return [self._event(name, members) for name, members in self._refusal(message, note)]

    def fail(self, error: Mapping[str, Any]) -> Said:
        """The guard or the upstream failed: the SDKs raise what `error` holds."""
        members = {"code": error.get("code"), "message": error.get("message"), "param": None, "error": dict(error)}
        return self._event("error", members)

    def _event(self, name: str, members: Mapping[str, Any]) -> Said:
        self._number += 1
        document = {"type": name, "sequence_number": self._number, **members}
        return name, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")

    def _refusal(self, message: str, note: Note) -> Iterator[tuple[str, dict[str, Any]]]:
        if self._response is None:
            self._response = self._start()
            yield "response.created", {"response": self._response}
            yield "response.in_progress", {"response": self._response}
        yield from self._close_part()
        open_ = [at for at, item in self._items.items() if at not in self._done and item.get("type") == "message"]
        at = open_[-1] if open_ else max(self._items, default=-1) + 1
        if not open_:
            self._items[at] = refusal_item(f"msg_{self._id}", "")
            self._items[at]["status"] = "in_progress"
            yield "response.output_item.added", {"output_index": at, "item": self._items[at]}
        yield from self._say(at, message)
        self._items[at] = {**self._items[at], "status": "incomplete"}
        yield "response.output_item.done", {"output_index": at, "item": self._items[at]}
        self._done.add(at)
        # What is still open is a call or a thought that was cut: a client must not take it for a whole one.
        output = [self._items[index] for index in sorted(self._done)]
        yield "response.incomplete", {"response": {**refused(self._response, output), "lockgate": note}}

    def _start(self) -> dict[str, Any]:
        heard = self._heard
        name, model, created = heard.get("id"), heard.get("model"), heard.get("created_at")
        return made_up(
            name if isinstance(name, str) and name else f"resp_{self._id}",
            model if isinstance(model, str) else self._model,
            created if isinstance(created, (int, float)) else int(time.time()),
        )

    def _close_part(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The part that is open ends with what has left of it."""
        if self._part is None:
            return
        at, where, position, kind = self._part
        self._part = None
        family = _SPOKEN.get(kind) if where == "content" else "reasoning_summary_text"
        if family is None or at not in self._items:
            return
        index = "content_index" if where == "content" else "summary_index"
        place = {"item_id": self._items[at].get("id"), "output_index": at, index: position}
        text = "".join(self._text)
        whole = TEXTS[family].whole
        part: dict[str, Any] = {"type": kind, whole: text}
        extra: dict[str, Any] = {}
        if family == "output_text":
            part["annotations"] = []
            extra["logprobs"] = []
        yield f"response.{family}.done", {**place, whole: text, **extra}
        ended = "content_part" if where == "content" else "reasoning_summary_part"
        yield f"response.{ended}.done", {**place, "part": part}
        self._keep(at, where, part)

    def _say(self, at: int, message: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if not message:
            return
        item = self._items[at]
        content = item.get("content")
        place = {
            "item_id": item.get("id"),
            "output_index": at,
            "content_index": len(content) if isinstance(content, list) else 0,
        }
        part = {"type": "refusal", "refusal": message}
        yield "response.content_part.added", {**place, "part": {"type": "refusal", "refusal": ""}}
        yield "response.refusal.delta", {**place, "delta": message}
        yield "response.refusal.done", {**place, "refusal": message}
        yield "response.content_part.done", {**place, "part": part}
        self._keep(at, "content", part)
