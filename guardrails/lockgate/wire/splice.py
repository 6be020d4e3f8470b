"""Editing a JSON document by its bytes: what is not edited is not changed.

One scanner finds the bytes of the values that an edit concerns. It runs only when there is an edit, on a document
that `document.parse` has accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lockgate.wire.pointer import tokens

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb"[^,\]}\s]+")
_STRUCTURE = re.compile(rb'["{}\[\]]')

_END = object()
_Wanted = dict[Any, Any]


def locate(body: bytes, pointers: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Pointer → (start, end) of its value's bytes in `body`. Raises KeyError for a pointer that leads nowhere."""
    wanted: _Wanted = {}
    asked = list(pointers)
    for pointer in asked:
        node = wanted
        for token in tokens(pointer):
            node = node.setdefault(token, {})
        node[_END] = pointer
    found: dict[str, tuple[int, int]] = {}
    _value(body, _skip_space(body, 0), wanted, found)
    for pointer in asked:
        if pointer not in found:
            raise KeyError(pointer)
    return found


def splice(body: bytes, values: Mapping[str, bytes]) -> bytes:
    """`body` with the value at each pointer replaced by the given JSON text; every other byte is kept.

    Pointers must not contain one another.
    """
    if not values:
        return body
    places = locate(body, values)
    parts: list[bytes] = []
    position = 0
    for pointer, (start, end) in sorted(places.items(), key=lambda item: item[1]):
        if start < position:
            raise ValueError(f"{pointer} lies inside another edited value")
        parts.append(body[position:start])
        parts.append(values[pointer])
        position = end
    parts.append(body[position:])
    return b"".join(parts)


def with_member(body: bytes, name: str, value: bytes) -> bytes:
    """`body`, a JSON object, with the member `name` set to `value`: replaced where it is, appended where it is not."""
    try:
        return splice(body, {f"/{name}": value})
    except KeyError:
        end = body.rindex(b"}")
        first = _skip_space(body, body.index(b"{") + 1) == end
        return b"".join((body[:end], b"" if first else b",", json.dumps(name).encode(), b":", value, body[end:]))


def without_items(body: bytes, array: str, items: Collection[str]) -> bytes:
    """`body` without some items of the array at the pointer `array`, which the others keep their bytes in. Raises
    KeyError where there is no such item."""
    places = locate(body, [array, *items])
    start, end = places.pop(array)
    if len(places) == len(json.loads(body[start:end])):
        return body[:start] + b"[]" + body[end:]
    for low, high in sorted(places.values(), reverse=True):
        after = _skip_space(body, high)
        if body[after : after + 1] == b",":
            body = body[:low] + body[_skip_space(body, after + 1) :]
        else:  # the last one: the comma before it goes with it
            body = body[: len(body[:low].rstrip()) - 1] + body[high:]
    return body


def without_value(body: bytes, place: tuple[int, int]) -> bytes:
    """`body` without the member of an object whose value stands at `place`. Its key must hold no quotation mark."""
    start, end = place
    key = body.rindex(b'"', 0, body.rindex(b'"', 0, start))
    after = _skip_space(body, end)
    if body[after : after + 1] == b",":
        return body[:key] + body[_skip_space(body, after + 1) :]
    before = body[:key].rstrip()
    return (before[:-1] if before.endswith(b",") else before) + body[end:]


def _skip_space(body: bytes, position: int) -> int:
    match = _SPACE.match(body, position)
    assert match is not None
    return match.end()


def _string(body: bytes, position: int) -> int:
    match = _STRING.match(body, position)
    if match is None:
        raise ValueError(f"not a JSON string at byte {position}")
    return match.end()


def _value(body: bytes, position: int, wanted: _Wanted, found: dict[str, tuple[int, int]]) -> int:
    """Read the value at `position`, record what is wanted of it, and return where it ends."""
    deeper = len(wanted) > (_END in wanted)
    lead = body[position : position + 1]
    if deeper and lead == b"{":
        end = _object(body, position + 1, wanted, found)
    elif deeper and lead == b"[":
        end = _array(body, position + 1, wanted, found)
    else:
        end = _skip(body, position)
    if _END in wanted:
        found[wanted[_END]] = (position, end)
    return end


def _object(body: bytes, position: int, wanted: _Wanted, found: dict[str, tuple[int, int]]) -> int:
    position = _skip_space(body, position)
    if body[position : position + 1] == b"}":
        return position + 1
    while True:
        end = _string(body, position)
        key = json.loads(body[position:end])
        position = _skip_space(body, _skip_space(body, end) + 1)
        position = _value(body, position, wanted.get(key, {}), found)
        position = _skip_space(body, position)
        if body[position : position + 1] == b"}":
            return position + 1
        position = _skip_space(body, position + 1)


def _array(body: bytes, position: int, wanted: _Wanted, found: dict[str, tuple[int, int]]) -> int:
    position = _skip_space(body, position)
    if body[position : position + 1] == b"]":
        return position + 1
    index = 0
    while True:
        position = _skip_space(body, _value(body, position, wanted.get(str(index), {}), found))
        if body[position : position + 1] == b"]":
            return position + 1
        position = _skip_space(body, position + 1)
        index += 1


def _skip(body: bytes, position: int) -> int:
    """The end of the value at `position`, unread."""
    lead = body[position : position + 1]
    if lead == b'"':
        return _string(body, position)
    if lead not in (b"{", b"["):
        match = _SCALAR.match(body, position)
        if match is None:
            raise ValueError(f"not a JSON value at byte {position}")
        return match.end()
    depth = 0
    while True:
        match = _STRUCTURE.search(body, position)
        if match is None:
            raise ValueError("the JSON document ends early")
        mark = match.group()
        if mark == b'"':
            position = _string(body, match.start())
            continue
        position = match.end()
        depth += 1 if mark in b"{[" else -1
        if depth == 0:
            return position
