"""Plain Python values as a wire of their own: texts, chat messages, containers. For the decorator and policy tests.

The pointer of a lone text is ``""``; of an argument, ``/name``; within messages, as in a chat request.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.act import apply
from lockgate.errors import WireError
from lockgate.exchange import Reading, Role, Segment
from lockgate.verdict import Edit
from lockgate.wire.chat import read_message
from lockgate.wire.chat_fields import ROLES
from lockgate.wire.document import MAX_DEPTH
from lockgate.wire.pointer import escape, get, tokens

_MOST_CONTAINERS = 100_000
_CONTAINERS = (dict, list, tuple, set, frozenset)
_PLAIN = (int, float, complex, type(None))  # what holds no text


def is_message(value: Any) -> bool:
    """A chat message: a mapping with a role."""
    return isinstance(value, dict) and isinstance(value.get("role"), str)


def is_text(value: Any) -> bool:
    """Something that holds text, or may: a text, a container, bytes."""
    return isinstance(value, (str, bytes, bytearray, *_CONTAINERS))


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(is_message(item) for item in value)


def read_value(reading: Reading, where: str, value: Any, role: Role, choice: int | None = None) -> None:
    """Add every text of `value`: of messages by their parts, of other containers every string and every key. `role` is
    that of a bare text. What can't be read is recorded as unknown."""
    if value is None:
        return
    if isinstance(value, str):
        if value:
            reading.segments.append(Segment(where, role, "text", value, choice))
        return
    messages = [("", value)] if is_message(value) else list(_numbered(value)) if _is_messages(value) else None
    if messages is None:
        if isinstance(value, _CONTAINERS):
            _strings(reading, where, value, role, choice, set(), fixed=False)
        else:
            reading.unread(where)
        return
    for suffix, message in messages:
        known = ROLES.get(message["role"])
        if known is None:
            reading.unread(f"{where}{suffix}/role")
        try:
            read_message(reading, f"{where}{suffix}", message, known or "user", choice)
        except WireError as error:
            reading.unread(error.where or where)


def _strings(
    reading: Reading, where: str, value: Any, role: Role, choice: int | None, seen: set[int], *, fixed: bool
) -> None:
    """Every string in a container, once, also where containers hold one another. Keys, and what stands in a tuple or a
    set, can't be edited. Bytes and objects are unknown."""
    if isinstance(value, str):
        if value:
            reading.segments.append(Segment(where, role, "text", value, choice, fixed))
    elif not isinstance(value, _CONTAINERS):
        reading.unread(where)
    elif id(value) not in seen:
        seen.add(id(value))
        if len(seen) > _MOST_CONTAINERS or where.count("/") > MAX_DEPTH:
            reading.unread(where)
            return
        if isinstance(value, dict):
            keys = "\n".join(key for key in value if isinstance(key, str))
            if keys:
                reading.segments.append(Segment(where, role, "text", keys, choice, fixed=True))
        for i, (key, item) in enumerate(value.items() if isinstance(value, dict) else enumerate(value)):
            named = isinstance(key, str)
            token = escape(str.__str__(key)) if named else str(i)  # an enum's str() is its name
            if not named and not isinstance(key, _PLAIN):
                _strings(reading, f"{where}/{token}", key, role, choice, seen, fixed=True)
            if not isinstance(item, _PLAIN):
                odd = not (named or isinstance(value, list))
                _strings(reading, f"{where}/{token}", item, role, choice, seen, fixed=fixed or odd)


def _numbered(messages: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(f"/{i}", message) for i, message in enumerate(messages)]


def edit_value(value: Any, edits: Sequence[Edit], *, base: str = "") -> Any:
    """`value`, whose own pointer is `base`, with edits applied to a copy; itself where there are none."""
    places: dict[str, list[Edit]] = {}
    for edit in edits:
        if edit.where == base or edit.where.startswith(f"{base}/"):
            places.setdefault(edit.where[len(base) :], []).append(edit)
    if not places:
        return value
    if isinstance(value, str):
        return apply(value, places[""])
    edited = copy.deepcopy(value, _kept(value))
    for where, mine in places.items():
        path = tokens(where)
        holder = get(edited, where[: where.rindex("/")])
        key: Any = int(path[-1]) if isinstance(holder, list) else path[-1]
        holder[key] = apply(holder[key], mine)
    return edited


def _kept(value: Any) -> dict[int, Any]:
    """A memo for deepcopy by which only containers are copied: a client or a lock among them stays what it is."""
    kept: dict[int, Any] = {}
    seen: set[int] = set()
    left = [value]
    while left:
        item = left.pop()
        if not isinstance(item, _CONTAINERS):
            kept[id(item)] = item
        elif id(item) not in seen:
            seen.add(id(item))
            left.extend(item)
            if isinstance(item, dict):
                left.extend(item.values())
    return kept


def only_text(value: Any) -> str | None:
    """The text of a bare text or of the last message with a text; None if there is none. For showing, not guarding."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        content = value.get("content")
        if isinstance(content, list):
            return "".join(part.get("text", "") for part in content if isinstance(part, dict))
        return content if isinstance(content, str) else None
    if isinstance(value, list) and value:
        return only_text(value[-1])
    return None
