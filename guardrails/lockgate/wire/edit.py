"""Edits and refusals, written into the bytes of a chat document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lockgate.act import apply
from lockgate.verdict import Edit, Flag
from lockgate.wire.document import dump_string
from lockgate.wire.offsets import cited
from lockgate.wire.pointer import escape, get, tokens
from lockgate.wire.splice import splice, with_member, without_items


def _by_place(edits: Sequence[Edit]) -> dict[str, list[Edit]]:
    places: dict[str, list[Edit]] = {}
    for edit in edits:
        places.setdefault(edit.where, []).append(edit)
    return places


Follow = Callable[[Any, str, Sequence[Edit]], dict[str, bytes | None]]
"""A document, the pointer of an edited text of it, and its edits → what depends on it: pointer → its new JSON; None for
an item of an array that goes."""


def edit_document(body: bytes, document: Any, edits: Sequence[Edit], follow: Follow | None = None) -> bytes:
    """`body` with the edits applied to its strings, and with what depends on them: log probabilities and token ids of
    an edited choice become null, offsets of its annotations follow; an annotation of what was edited goes."""
    follow = follow or dependants
    values: dict[str, bytes] = {}
    gone: dict[str, list[str]] = {}
    for where, mine in _by_place(edits).items():
        value = get(document, where)
        if isinstance(value, str):
            values[where] = dump_string(apply(value, mine))
            for pointer, new in follow(document, where, mine).items():
                if new is not None:
                    values[pointer] = new
                else:
                    gone.setdefault(pointer.rpartition("/")[0], []).append(pointer)
        else:
            values[_logprobs_of(where)] = b"null"
    out = splice(body, values)
    for array, items in gone.items():
        out = without_items(out, array, items)
    return out


def _logprobs_of(where: str) -> str:
    """`/choices/0/logprobs/content` → `/choices/0/logprobs`: what spells an edited text goes as a whole."""
    head, found, _ = where.partition("/logprobs")
    if not found:
        raise ValueError(f"{where} is not a string")
    return head + found


def dependants(document: Any, where: str, edits: Sequence[Edit]) -> dict[str, bytes | None]:
    """What depends on an edited text of a chat's answer: log probabilities and token ids of its choice become null,
    offsets of its annotations follow. Pointer → its new JSON; None for an item of an array that goes."""
    path = tokens(where)
    if len(path) < 4 or path[0] != "choices" or path[2] != "message":
        return {}
    values: dict[str, bytes | None] = {}
    choice = document["choices"][int(path[1])]
    for key in ("logprobs", "token_ids"):  # they spell the text again
        if choice.get(key) is not None:
            values[f"/choices/{path[1]}/{key}"] = b"null"
    if path[3:] == ["content"]:
        notes = choice["message"].get("annotations")
        for i, note in enumerate(notes if isinstance(notes, list) else ()):
            values.update(moved_note(f"/choices/{path[1]}/message/annotations/{i}", note, edits))
    return values


def moved_note(where: str, note: Any, edits: Sequence[Edit]) -> dict[str, bytes | None]:
    """What becomes of an annotation at `where` that cites a text: its new offsets; None for itself, if what it cites was
    edited."""
    moved = moved_offsets(where, note, edits)
    return {where: None} if moved is None else {at: str(offset).encode() for at, offset in moved.items()}


def moved_offsets(where: str, note: Any, edits: Sequence[Edit]) -> dict[str, int] | None:
    """Pointer → offset, of an annotation at `where`, once `edits` are made. None: what it cites was edited."""
    moved: dict[str, int] = {}
    for at, start, end in ranges(where, note):
        place = cited(start, end, edits)
        if place is None:
            return None
        moved[f"{at}/start_index"], moved[f"{at}/end_index"] = place
    return moved


def ranges(where: str, note: Any) -> Iterator[tuple[str, int, int]]:
    """The ranges of a text that an annotation cites, each with the pointer below which it stands."""
    for kind, body in note.items() if isinstance(note, dict) else ():
        start, end = (body.get("start_index"), body.get("end_index")) if isinstance(body, dict) else (None, None)
        if type(start) is int and type(end) is int:
            yield f"{where}/{escape(kind)}", start, end


def choices_in(document: Any) -> list[Any]:
    """The choices of an answer or an event; none, where it has none."""
    choices = document.get("choices") if isinstance(document, dict) else None
    return choices if isinstance(choices, list) else []


def refuse_choices(body: bytes, document: Any, refused: Mapping[int, str]) -> bytes:
    """`body` with each refused choice replaced by a refusal that ends in ``content_filter``. Nothing of the choice but
    its index is kept: what else stands in it may spell the text again. Keys of `refused` are positions in `choices`."""
    values: dict[str, bytes] = {}
    for position, message in refused.items():
        said = refused_choice(document["choices"][position], position, message)
        values[f"/choices/{position}"] = json.dumps(said, separators=(",", ":")).encode()
    return splice(body, values)


def refused_choice(choice: Any, position: int, message: str) -> dict[str, Any]:
    """What is left of a refused choice that stood at `position`."""
    index = choice.get("index") if isinstance(choice, dict) else None
    return {
        "index": index if isinstance(index, int) else position,
        "message": {"role": "assistant", "content": None, "refusal": message or None},
        "logprobs": None,
        "finish_reason": "content_filter",
    }


def with_note(body: bytes, note: Mapping[str, Any], flags: Sequence[Flag]) -> bytes:
    """`body` with the `lockgate` object: id, action, policy, rules, and the flags if there are any."""
    shown = dict(note)
    if flags:
        shown["flags"] = [flag.public() for flag in flags]
    return with_member(body, "lockgate", json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode())
