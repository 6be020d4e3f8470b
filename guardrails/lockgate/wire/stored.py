"""What the chat API keeps: a stored completion, the list of them, and the messages of its request.

They come back as answers, and are guarded as such: one item of a list is one choice. What the request had said is read
beside what was answered to it. Source: the OpenAI API reference and the types of its Python SDK.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Exchange, Kind, Reading
from lockgate.verdict import Edit
from lockgate.wire.chat import ChatLens, read_content, read_member, read_message, read_other
from lockgate.wire.chat_fields import ANSWER_KNOWN, API_WORD, REQUEST_KNOWN, REQUEST_PLAIN, ROLES
from lockgate.wire.edit import choices_in, moved_note, refused_choice
from lockgate.wire.lens import EventReading, RequestReading
from lockgate.wire.pointer import escape, tokens
from lockgate.wire.schema_text import read_odd, read_setting, read_strings
from lockgate.wire.splice import splice

_ASKED = (REQUEST_KNOWN | {"input_user"}) - ANSWER_KNOWN - {"messages"}
"""Members of a stored completion that its request had."""
_LIST_KNOWN = frozenset({"object", "data", "first_id", "last_id", "has_more", "error"})


class StoredChat(ChatLens):
    """The dialect of `/chat/completions/{id}`, asked for or given other metadata."""

    operation = ""
    path = "/chat/completions/{completion_id}"
    stored = True
    beside = frozenset({"metadata"}) | _ASKED

    def read_request(self, document: Any) -> RequestReading:
        """Raises WireError where there is a body, and it is no object."""
        reading = RequestReading()
        if document is None:
            return reading
        if not isinstance(document, dict):
            raise WireError("the body must be a JSON object", code="invalid_type")
        for key, value in document.items():
            if key == "metadata":
                read_strings(reading, "/metadata", value, role="user", kind="text")
            else:
                reading.unread(f"/{escape(key)}")
        return reading

    def read_answer(self, document: Any) -> Reading:
        if not isinstance(document, dict):
            return super().read_answer(document)
        reading = super().read_answer({key: value for key, value in document.items() if key not in _ASKED})
        for key in document.keys() & _ASKED:
            where, value = f"/{escape(key)}", document[key]
            try:
                if key in REQUEST_PLAIN:
                    read_setting(reading, where, value)
                else:
                    read_member(reading, where, "user" if key == "input_user" else key, value)
            except WireError:  # of another shape than a request's
                read_odd(reading, where, value, role="user", kind="text", choice=None)
        return reading

    def refusal(self, exchange: Exchange, message: str) -> dict[str, Any] | None:  # noqa: ARG002
        """Nobody asked a model."""
        return None


class _Listed(StoredChat):
    """A list of what is stored."""

    @abstractmethod
    def read_item(self, reading: Reading, where: str, item: dict[str, Any], choice: int) -> None:
        """One item of the list, which stands at `where`."""

    @abstractmethod
    def refused_item(self, item: dict[str, Any], message: str) -> dict[str, Any]:
        """An item of which nothing is left but what names it."""

    def read_answer(self, document: Any) -> Reading:
        """Raises WireError where the document can't be an answer."""
        if not isinstance(document, dict):
            raise WireError("the upstream's answer is not a JSON object", code="invalid_type")
        reading = Reading()
        read_strings(reading, "/error", document.get("error"), role="upstream", kind="text")
        items = document.get("data")
        for i, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                self.read_item(reading, f"/data/{i}", item, i)
            else:
                read_other(reading, f"/data/{i}", item, "assistant", "text", i, "an item must be an object")
        if not isinstance(items, list):
            read_other(reading, "/data", items, "assistant", "text", 0, "data must be an array")
        for key in document.keys() - _LIST_KNOWN:
            reading.unread(f"/{escape(key)}")
        for key in ("object", "first_id", "last_id", "has_more"):
            read_setting(reading, f"/{key}", document.get(key))
        return reading

    def read_event(self, document: Any) -> EventReading:  # noqa: ARG002
        """Raises WireError: lists have no events."""
        raise WireError("a list has no streams", code="invalid_type")

    def choices(self, document: Any) -> int:
        items = document.get("data") if isinstance(document, dict) else None
        return len(items) if isinstance(items, list) else 0

    def refuse(self, body: bytes, document: Any, refused: Mapping[int, str]) -> bytes:
        values = {}
        for position, message in refused.items():
            item = document["data"][position]
            left = self.refused_item(item if isinstance(item, dict) else {}, message)
            values[f"/data/{position}"] = json.dumps(left, separators=(",", ":")).encode()
        return splice(body, values)

    def strip(self, document: Any, gone: Collection[int]) -> dict[str, bytes] | None:  # noqa: ARG002
        return None


class StoredChats(_Listed):
    """The dialect of the list of stored completions."""

    path = "/chat/completions"

    def read_item(self, reading: Reading, where: str, item: dict[str, Any], choice: int) -> None:
        found = StoredChat().read_answer(item)
        reading.segments.extend(replace(one, where=where + one.where, choice=choice) for one in found.segments)
        reading.skipped.update({where + place: reason for place, reason in found.skipped.items()})
        reading.unknown.extend(where + place for place in found.unknown)

    def refused_item(self, item: dict[str, Any], message: str) -> dict[str, Any]:
        kept = {key: item[key] for key in ("id", "object", "model") if _is_word(item.get(key))}
        if type(item.get("created")) is int:
            kept["created"] = item["created"]
        return {**kept, "choices": [refused_choice(choice, i, message) for i, choice in enumerate(choices_in(item))]}

    def dependants(self, document: Any, where: str, edits: Sequence[Edit]) -> dict[str, bytes | None]:
        path = tokens(where)
        if len(path) < 3:
            return {}
        base = f"/data/{path[1]}"
        found = super().dependants(document["data"][int(path[1])], where[len(base) :], edits)
        return {base + place: new for place, new in found.items()}


class StoredMessages(_Listed):
    """The dialect of the messages of a stored completion's request: of whatever role, also the user's."""

    path = "/chat/completions/{completion_id}/messages"

    def read_item(self, reading: Reading, where: str, item: dict[str, Any], choice: int) -> None:
        name = item.get("role")
        role = ROLES.get(name, "user") if isinstance(name, str) else "user"
        if name is not None and not (isinstance(name, str) and name in ROLES):
            reading.unread(f"{where}/role")
        parts = item.get("content_parts")
        said = {key: value for key, value in item.items() if key not in ("id", "content_parts")}
        read_message(reading, where, said, role, choice)
        kind: Kind = "tool_result" if role == "tool" else "text"
        read_content(reading, f"{where}/content_parts", parts, role, kind, choice)
        read_setting(reading, f"{where}/id", item.get("id"))

    def refused_item(self, item: dict[str, Any], message: str) -> dict[str, Any]:
        kept = {key: item[key] for key in ("id", "role") if _is_word(item.get(key))}
        return {**kept, "content": None, "refusal": message or None, "content_parts": None}

    def dependants(self, document: Any, where: str, edits: Sequence[Edit]) -> dict[str, bytes | None]:
        path = tokens(where)
        values: dict[str, bytes | None] = {}
        if len(path) == 3 and path[2] == "content":
            notes = document["data"][int(path[1])].get("annotations")
            for i, note in enumerate(notes if isinstance(notes, list) else ()):
                values.update(moved_note(f"/data/{path[1]}/annotations/{i}", note, edits))
        return values


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and API_WORD.fullmatch(value) is not None
