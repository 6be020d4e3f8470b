"""Objects as documents: pydantic models, those of an SDK among them, wherever they stand in a value.

A model is read as the dictionary of its fields, less those that are None; so pointers into it are those of its JSON.
What an SDK parsed from a text (`parsed` beside `content`, `parsed_arguments` beside `arguments`) spells it again: it is
not read, and follows the text.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from lockgate.wire.document import MAX_DEPTH
from lockgate.wire.pointer import escape, tokens

CONTAINERS = (dict, list, tuple, set, frozenset)
PARSED = {"parsed": "content", "parsed_arguments": "arguments"}
"""What was parsed → the text it was parsed from, in the same object."""


class Fields(dict[str, Any]):
    """A model as a dictionary. `declared` are the fields that its class names: nobody's words."""

    declared: frozenset[str] = frozenset()


def plain(value: Any, where: str = "") -> tuple[Any, dict[str, str]]:
    """`value`, whose pointer is `where`, with every model in it as a dictionary; itself where there is none. And what of
    the models is not in it: pointer → reason."""
    walk = _Walk()
    return walk.plain(value, where, 0), walk.skipped


class _Walk:
    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self._known: dict[int, Any] = {}

    def plain(self, value: Any, where: str, depth: int) -> Any:
        known = self._known
        if id(value) in known:
            return known[id(value)]
        if isinstance(value, BaseModel):
            known[id(value)] = fields = Fields()
            fields.declared = frozenset(type(value).model_fields)
            items = members(value)
            for name, item in items.items():
                at = f"{where}/{escape(name)}"
                if item is not None and PARSED.get(name) in items:
                    self.skipped[at] = f"parsed from {PARSED[name]}, which is read; follows it"
                elif item is not None:
                    fields[name] = self.plain(item, at, depth + 1)
        elif isinstance(value, (dict, list, tuple)) and depth < MAX_DEPTH + 2:
            known[id(value)] = value  # what holds itself is met again here
            named = value.items() if isinstance(value, dict) else enumerate(value)
            found = [(key, self.plain(item, f"{where}/{escape(str(key))}", depth + 1)) for key, item in named]
            before = value.values() if isinstance(value, dict) else value
            if any(mine is not item for (_, mine), item in zip(found, before, strict=True)):
                parts = [mine for _, mine in found]
                known[id(value)] = (
                    dict(found) if isinstance(value, dict) else tuple(parts) if isinstance(value, tuple) else parts
                )
        return known.get(id(value), value)


def members(model: BaseModel) -> dict[str, Any]:
    """A model's fields by name, those that its class does not name included."""
    return {**model.__dict__, **(model.__pydantic_extra__ or {})}


def copied(value: Any) -> Any:
    """A copy of `value` to edit. Only containers and models are copied: a client or a lock among them stays what it is."""
    kept: dict[int, Any] = {}
    seen: set[int] = set()
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, BaseModel):
            inner: Iterable[Any] = members(item).values()
            for private in (item.__pydantic_private__ or {}).values():
                kept[id(private)] = private
        elif isinstance(item, CONTAINERS):
            inner = [*item, *item.values()] if isinstance(item, dict) else item
        else:
            kept[id(item)] = item
            continue
        if id(item) not in seen:
            seen.add(id(item))
            left.extend(inner)
    return copy.deepcopy(value, kept)


def find(value: Any, pointer: str) -> Any:
    """What stands at `pointer`."""
    for token in tokens(pointer):
        value = _items(value)[_key(value, token)]
    return value


def put(value: Any, pointer: str, new: Any) -> None:
    """Set what stands at `pointer`, in place. Frozen and validating models too: it is a copy of ours."""
    head, _, _ = pointer.rpartition("/")
    holder = find(value, head)
    token = tokens(pointer)[-1]
    if isinstance(holder, BaseModel):
        if token in holder.__dict__ or holder.__pydantic_extra__ is None:
            holder.__dict__[token] = new
        else:
            holder.__pydantic_extra__[token] = new
    else:
        holder[_key(holder, token)] = new


def follow(value: Any, pointer: str) -> None:
    """The text at `pointer` was edited: what was parsed from it is parsed anew, or None if it no longer fits."""
    head, _, name = pointer.rpartition("/")
    holder = find(value, head)
    for parsed, text in PARSED.items():
        if text == name and isinstance(holder, (BaseModel, Mapping)):
            before = _items(holder).get(parsed)
            if before is not None:
                put(value, f"{head}/{parsed}", _parsed(before, _items(holder)[name]))


def _parsed(before: Any, text: str) -> Any:
    try:
        if isinstance(before, BaseModel):
            return type(before).model_validate_json(text)
        return json.loads(text)
    except (ValidationError, ValueError):
        return None


def _items(holder: Any) -> Any:
    return members(holder) if isinstance(holder, BaseModel) else holder


def _key(holder: Any, token: str) -> Any:
    return int(token) if isinstance(holder, (list, tuple)) else token
