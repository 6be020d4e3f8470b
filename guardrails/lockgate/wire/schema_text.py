"""Text inside structured values: tools, JSON schemas, metadata. Keys are text too, and can't be edited."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Kind, Reading, Role, Segment
from lockgate.wire.chat_fields import API_WORD, SETTINGS
from lockgate.wire.pointer import escape

_BODY_KNOWN = frozenset({"name", "description", "parameters", "strict", "format"})


def read_tool(reading: Reading, where: str, tool: Any, *, bare: bool = False) -> None:
    """A tool: its name, its description, and every string and key of its schema. `bare`: the function itself stands
    at `where` (the older `functions`)."""
    if not isinstance(tool, dict):
        raise WireError("a tool must be an object", where=where, code="invalid_type")
    if bare and not isinstance(tool["function"], dict):
        raise WireError("a function must be an object", where=where, code="invalid_type")
    kind = tool.get("type", "function")
    body = tool.get(kind) if isinstance(kind, str) else None
    if not isinstance(body, dict):
        read_strings(reading, where, tool, role="system", kind="tool_schema", plain=("type",))
        return
    at = where if bare else f"{where}/{escape(kind)}"
    name = body.get("name")
    if isinstance(name, str) and name:
        reading.segments.append(Segment(f"{at}/name", "system", "tool_schema", name, fixed=True))
    _members(reading, at, body, known=_BODY_KNOWN, plain=("name",) if isinstance(name, str) else ())
    if not bare:
        _members(reading, where, tool, known=frozenset({"type", kind}), plain=("type", kind))


def _members(
    reading: Reading, where: str, members: dict[Any, Any], *, known: Collection[str], plain: Collection[str]
) -> None:
    """The strings of an object's members, but for `plain` ones, and its keys, but for `known` ones."""
    strange = "\n".join([key for key in members if isinstance(key, str) and key not in known])
    if strange:
        reading.segments.append(Segment(where, "system", "tool_schema", strange, fixed=True))
    for key, value in members.items():
        if key not in plain:
            read_strings(reading, f"{where}/{escape(key)}", value, role="system", kind="tool_schema")


def read_setting(reading: Reading, where: str, value: Any, why: str = SETTINGS) -> None:
    """A setting: a number, a switch, a word of the API, or an object or list of them, which is skipped because of `why`.
    A string in it that may be a sentence is unread, and so is a key."""
    if isinstance(value, (dict, list)):
        reading.skip(where, why)
        for place in _sentences(where, value):
            reading.unread(place)
    elif isinstance(value, str) and value and not API_WORD.fullmatch(value):
        reading.unread(where)


def _sentences(where: str, value: Any) -> Iterator[str]:
    """The places of strings and keys that are no words."""
    if isinstance(value, str):
        if value and not API_WORD.fullmatch(value):
            yield where
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _sentences(f"{where}/{i}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            at = f"{where}/{escape(key)}"
            if API_WORD.fullmatch(key):
                yield from _sentences(at, item)
            else:
                yield at


def read_odd(reading: Reading, where: str, value: Any, *, role: Role, kind: Kind, choice: int | None) -> None:
    """A value of another shape than the API's (arguments as an object): its strings are read where they stand, and a
    number in it, which may be part of what was said, makes it unread."""
    read_strings(reading, where, value, role=role, kind=kind, choice=choice)
    if isinstance(value, bool) or _has_number(value):
        reading.unread(where)


def _has_number(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_has_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read_strings(
    reading: Reading,
    where: str,
    value: Any,
    *,
    role: Role,
    kind: Kind,
    choice: int | None = None,
    plain: Collection[str] = (),
) -> None:
    """Every string below `where`, and every object's keys, as segments. `plain` are keys at the top whose values are
    words of the API."""
    if isinstance(value, str):
        if value:
            reading.segments.append(Segment(where, role, kind, value, choice))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            read_strings(reading, f"{where}/{i}", item, role=role, kind=kind, choice=choice)
    elif isinstance(value, dict):
        # One text for all keys of an object, a line each, so that no key joins another into a word.
        keys = "\n".join([key for key in value if isinstance(key, str)])
        if keys:
            reading.segments.append(Segment(where, role, kind, keys, choice, fixed=True))
        for key, item in value.items():
            if key not in plain or not isinstance(item, str):
                read_strings(reading, f"{where}/{escape(key)}", item, role=role, kind=kind, choice=choice)
