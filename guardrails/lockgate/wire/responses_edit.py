"""What follows an edit or a refusal in the bytes of a response, or of an event that holds a part of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.verdict import Edit
from lockgate.wire.offsets import cited
from lockgate.wire.pointer import get
from lockgate.wire.responses_fields import IDENTIFIERS
from lockgate.wire.splice import locate, splice, with_member

_EMPTIED: dict[str, bytes] = {
    "error": b"null",
    "output_text": b"null",
    "instructions": b"null",
    "prompt": b"null",
    "text": b"null",
    "metadata": b"{}",
    "tools": b"[]",
    **dict.fromkeys(IDENTIFIERS, b"null"),
}
"""Members of a refused response that may spell what was refused, beside its output."""


def dependants(document: Any, where: str, edits: Sequence[Edit]) -> dict[str, bytes | None]:
    """What depends on an edited text: log probabilities beside it are emptied, citations beside it follow. Pointer → new
    JSON; None for a citation of what was edited, which goes."""
    parent, _, name = where.rpartition("/")
    if name not in ("text", "delta", "refusal"):
        return {}
    holder = get(document, parent)
    if not isinstance(holder, dict):
        return {}
    values: dict[str, bytes | None] = {}
    if holder.get("logprobs"):
        values[f"{parent}/logprobs"] = b"[]"
    notes = holder.get("annotations")
    for i, note in enumerate(notes if isinstance(notes, list) else ()):
        at = f"{parent}/annotations/{i}"
        moved = moved_note(note, edits)
        if moved is None:
            values[at] = None
        else:
            values.update({f"{at}/{key}": str(offset).encode() for key, offset in moved.items()})
    return values


def moved_note(note: Any, edits: Sequence[Edit]) -> dict[str, int] | None:
    """Where a citation points once `edits` are made: its offsets by name; none where it has none. None: what it cites
    was edited."""
    start, end, index = (note.get(key) if isinstance(note, dict) else None for key in _OFFSETS)
    moved: dict[str, int] = {}
    if type(start) is int and type(end) is int:
        place = cited(start, end, edits)
        if place is None:
            return None
        moved = {"start_index": place[0], "end_index": place[1]}
    if type(index) is int:
        place = cited(index, index, edits)
        if place is None:
            return None
        moved["index"] = place[0]
    return moved


_OFFSETS = ("start_index", "end_index", "index")


def reach(note: Any) -> int:
    """Up to where the text of a citation must be known before its offsets are."""
    offsets = [note.get(key) for key in _OFFSETS] if isinstance(note, dict) else []
    return max((offset for offset in offsets if type(offset) is int), default=0)


def refusal_item(item_id: str, message: str) -> dict[str, Any]:
    """The output item that refuses."""
    content = [{"type": "refusal", "refusal": message}] if message else []
    return {"type": "message", "id": item_id, "status": "incomplete", "role": "assistant", "content": content}


def refuse_output(body: bytes, document: dict[str, Any], message: str) -> bytes:
    """`body`, a response, with a refusal for its output. Nothing stays that may spell the text again."""
    said: dict[str, Any] = {
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": [refusal_item(_id_of(document), message)],
    }
    values = {f"/{key}": empty for key, empty in _EMPTIED.items() if document.get(key)}
    body = splice(body, values)
    for key, value in said.items():
        body = with_member(body, key, _json(value))
    return body


def _id_of(document: dict[str, Any]) -> str:
    name = document.get("id")
    return f"msg_{name.removeprefix('resp_')}" if isinstance(name, str) else "msg_refused"


def noted(data: bytes, note: Mapping[str, Any]) -> bytes | None:
    """An event with `note` as the `lockgate` object of its response; None where it has no response."""
    try:
        start, end = locate(data, ["/response"])["/response"]
    except (KeyError, ValueError):
        return None
    if data[start : start + 1] != b"{":
        return None
    return data[:start] + with_member(data[start:end], "lockgate", _json(note)) + data[end:]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def made_up(response_id: str, model: str, created_at: float) -> dict[str, Any]:
    """A response of the guard's own, with nothing in it yet."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }


def refused(response: dict[str, Any], output: list[dict[str, Any]]) -> dict[str, Any]:
    """`response`, ended by the guard."""
    return {
        **response,
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": output,
    }
