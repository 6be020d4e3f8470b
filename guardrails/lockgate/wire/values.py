"""Plain Python values as a wire of their own: texts, chat messages, requests and answers, containers, models. For the
decorator and policy tests.

The pointer of a lone text is ``""``; of an argument, ``/name``; within messages, requests and answers, as in their JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from lockgate.act import apply
from lockgate.errors import WireError
from lockgate.exchange import Reading, Role, Segment
from lockgate.verdict import Edit
from lockgate.wire.chat import ChatLens, read_member, read_message
from lockgate.wire.chat_fields import IDENTIFIERS, REQUEST_PLAIN, ROLES
from lockgate.wire.document import MAX_DEPTH
from lockgate.wire.edit import dependants
from lockgate.wire.objects import CONTAINERS, Fields, copied, find, follow, plain, put
from lockgate.wire.pointer import escape
from lockgate.wire.token_logprobs import answer_tokens

_MOST_CONTAINERS = 100_000
_PLAIN = (int, float, complex, type(None), Decimal, date, time, timedelta, UUID)  # what holds no text
_TOLD = frozenset({"tools", "functions", "response_format"})  # what a developer tells the model about tools and forms
_SETTINGS = REQUEST_PLAIN | frozenset(IDENTIFIERS)
_SPOKEN = frozenset({"content", "tool_calls", "function_call", "refusal", "audio"})
_ANSWER = re.compile(r"(.*?)(/choices/\d+/message/.*)", re.DOTALL)


def is_message(value: Any) -> bool:
    """A chat message: a mapping with a role."""
    return isinstance(value, dict) and isinstance(value.get("role"), str)


def is_text(value: Any) -> bool:
    """Something that holds text, or may: a text, a container, a model, bytes."""
    return isinstance(value, (str, bytes, bytearray, BaseModel, *CONTAINERS))


def is_answer(value: Any) -> bool:
    """An answer of the chat API: choices that hold messages."""
    choices = value.get("choices") if isinstance(value, dict) else None
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(choice, dict) and is_message(choice.get("message")) for choice in choices)
    )


def _is_messages(value: Any) -> bool:
    """Where messages are expected, a role tells one; but a model may have a role of its own."""
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(_speaks(item) if isinstance(item, Fields) else is_message(item) for item in value)
    )


def _speaks(value: Any) -> bool:
    """Without doubt a message: somewhere in a container, a role alone may be anybody's."""
    return is_message(value) and value["role"] in ROLES and not _SPOKEN.isdisjoint(value)


def read_value(reading: Reading, where: str, value: Any, role: Role, choice: int | None = None) -> None:
    """Add every text of `value`: of messages, requests and answers of the chat API by their parts, of other containers
    every string and every key. `role` is that of a bare text. What can't be read is recorded as unknown."""
    if value is None:
        return
    value, skipped = plain(value, where)
    if choice is not None and not where:
        reading.logprobs = answer_tokens(value) or None
    if isinstance(value, str):
        if value:
            reading.segments.append(Segment(where, role, "text", value, choice))
    elif _is_messages([value]):
        _message(reading, where, value, choice)
    elif _is_messages(value):
        for i, message in enumerate(value):
            _message(reading, f"{where}/{i}", message, choice)
    elif is_answer(value) and choice is not None and not where:
        _merge(reading, ChatLens().read_answer(value))
    elif isinstance(value, CONTAINERS):
        _Strings(reading, role, choice).read(where, value, fixed=False)
    else:
        reading.unread(where)
    reading.skipped.update(skipped)


def read_argument(reading: Reading, where: str, name: str, value: Any) -> None:
    """`read_value`, for what stands beside chat messages: `tools` and the like are read as those."""
    if name in _TOLD and _is_json(value):
        mine = Reading()
        try:
            read_member(mine, where, name, value)
        except WireError:
            pass  # it only has the name
        else:
            _merge(reading, mine)
            return
    read_value(reading, where, value, "user")


def _is_json(value: Any, depth: int = 0) -> bool:
    """Nothing but what JSON has: what else there may be, a lens would not read."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item, depth + 1) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_json(item, depth + 1) for item in value)
    return value is None or isinstance(value, (str, int, float))


def _merge(reading: Reading, more: Reading) -> None:
    reading.segments += more.segments
    reading.skipped.update(more.skipped)
    reading.unknown += more.unknown


def _message(reading: Reading, where: str, message: dict[str, Any], choice: int | None) -> None:
    known = ROLES.get(message["role"])
    if known is None:
        reading.unread(f"{where}/role")
    try:
        read_message(reading, where, message, known or "user", choice)
    except WireError as error:
        reading.unread(error.where or where)


class _Strings:
    """Every string in a container, once, also where containers hold one another. Keys, and what stands in a tuple or a
    set, can't be edited. Bytes and objects are unknown."""

    def __init__(self, reading: Reading, role: Role, choice: int | None) -> None:
        self._reading = reading
        self._role = role
        self._choice = choice
        self._seen: set[int] = set()

    def read(self, where: str, value: Any, *, fixed: bool) -> None:
        reading = self._reading
        if isinstance(value, str):
            if value:
                reading.segments.append(Segment(where, self._role, "text", value, self._choice, fixed))
        elif not isinstance(value, CONTAINERS):
            reading.unread(where)
        elif id(value) not in self._seen:
            self._seen.add(id(value))
            if len(self._seen) > _MOST_CONTAINERS or where.count("/") > MAX_DEPTH:
                reading.unread(where)
            elif isinstance(value, dict) and not fixed and _speaks(value):
                _message(reading, where, value, self._choice)
            else:
                self._items(where, value, fixed)

    def _items(self, where: str, value: Any, fixed: bool) -> None:
        if isinstance(value, dict):
            declared = value.declared if isinstance(value, Fields) else frozenset()
            keys = "\n".join(key for key in value if isinstance(key, str) and key not in declared)
            if keys:
                self._reading.segments.append(Segment(where, self._role, "text", keys, self._choice, fixed=True))
        chat = isinstance(value, dict) and _is_messages(value.get("messages"))
        for i, (key, item) in enumerate(value.items() if isinstance(value, dict) else enumerate(value)):
            named = isinstance(key, str)
            at = f"{where}/{escape(str.__str__(key)) if named else i}"  # an enum's str() is its name
            if not named and not isinstance(key, _PLAIN):
                self.read(at, key, fixed=True)
            if isinstance(item, (*_PLAIN, type)) or (chat and key in _SETTINGS):
                continue
            if chat and key in _TOLD and not fixed:
                read_argument(self._reading, at, str(key), item)
                continue
            # A list or a dictionary can be edited wherever it can be reached.
            reached = named or isinstance(value, (list, tuple))
            lone = isinstance(value, (tuple, set, frozenset)) and isinstance(item, str)
            self.read(at, item, fixed=fixed or lone or not reached)


def edit_value(value: Any, edits: Sequence[Edit], *, base: str = "") -> Any:
    """`value`, whose own pointer is `base`, with edits applied to a copy; itself where there are none. What depends on
    an edited text follows: log probabilities and offsets of an answer, what was parsed from it."""
    places: dict[str, list[Edit]] = {}
    for edit in edits:
        if edit.where == base or edit.where.startswith(f"{base}/"):
            places.setdefault(edit.where[len(base) :], []).append(edit)
    if not places:
        return value
    if isinstance(value, str):
        return apply(value, places[""])
    edited = copied(value)
    gone: list[str] = []
    for where, mine in places.items():
        said = find(edited, where)
        if not isinstance(said, str):
            # Log probabilities that spell another text than their message: they go as a whole.
            put(edited, where.partition("/logprobs")[0] + "/logprobs", None)
            continue
        put(edited, where, apply(said, mine))
        follow(edited, where)
        answer = _ANSWER.fullmatch(where)
        if answer is not None and is_answer(whole := plain(find(value, answer[1]))[0]):
            for pointer, new in dependants(whole, answer[2], mine).items():
                if new is not None:
                    put(edited, answer[1] + pointer, json.loads(new))
                else:
                    gone.append(answer[1] + pointer)
    for pointer in reversed(gone):  # last and from behind, so that other places stay what they are
        array, _, position = pointer.rpartition("/")
        del find(edited, array)[int(position)]
    return edited


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
