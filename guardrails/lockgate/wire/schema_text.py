"""Text inside structured values: tools, JSON schemas, metadata. Keys are text too, and can't be edited."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Kind, Reading, Role, Segment
from lockgate.wire.pointer import escape


def read_tool(reading: Reading, where: str, tool: Any, *, bare: bool = False) -> None:
    """A tool: its name, its description, and every string and key of its schema. `bare`: the function itself stands
    at `where` (the older `functions`)."""
    if not isinstance(tool, dict):
        raise WireError("a tool must be an object", where=where, code="invalid_type")
    kind = tool.get("type", "function")
    body = tool.get(kind) if isinstance(kind, str) else None
    if not isinstance(body, dict):
        read_strings(reading, where, tool, role="system", kind="tool_schema", plain=("type",))
        return
    at = where if bare else f"{where}/{escape(kind)}"
    name = body.get("name")
    if isinstance(name, str) and name:
        reading.segments.append(Segment(f"{at}/name", "system", "tool_schema", name, fixed=True))
    for key, value in body.items():
        if key != "name":
            read_strings(reading, f"{at}/{escape(key)}", value, role="system", kind="tool_schema")
    if not bare:
        for key in tool.keys() - {"type", kind}:
            read_strings(reading, f"{where}/{escape(key)}", tool[key], role="system", kind="tool_schema")


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
        if value:
            # One text for all keys of an object, a line each, so that no key joins another into a word.
            keys = "\n".join(value)
            reading.segments.append(Segment(where, role, kind, keys, choice, fixed=True))
        for key, item in value.items():
            if key not in plain:
                read_strings(reading, f"{where}/{escape(key)}", item, role=role, kind=kind, choice=choice)
