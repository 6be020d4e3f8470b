"""The Responses API (`POST /responses`, and `GET` of what it has kept): every place of a request and of an answer that
holds text.

Sources: the OpenAI API reference and the types of its Python SDK. What is not named here is recorded as ``unread:
unknown``. An answer has one choice: all of its output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Reading, Segment, Subject
from lockgate.wire.chat_fields import SETTINGS
from lockgate.wire.filter_reply import read_moderation
from lockgate.wire.lens import RequestReading
from lockgate.wire.pointer import escape
from lockgate.wire.responses_fields import (
    ANSWER_PLAIN,
    ANSWER_SKIPPED,
    IDENTIFIERS,
    LATER,
    OPEN,
    REQUEST_PLAIN,
    UNSEEN,
    UNSEEN_PROMPT,
)
from lockgate.wire.responses_items import Items, is_plain
from lockgate.wire.schema_text import read_strings

ECHO = "echo: the request's own, and read there"


def read_request(document: Any) -> RequestReading:
    """Raises WireError where the document can't be a request of this API."""
    if not isinstance(document, dict):
        raise WireError("the body must be a JSON object", code="invalid_type")
    reading = RequestReading()
    items = Items(reading, None)
    for key, value in document.items():
        at = f"/{escape(key)}"
        if key == "input":
            _input(items, value)
        elif key in REQUEST_PLAIN:
            if isinstance(value, (dict, list)):
                reading.skip(at, SETTINGS)
            if not is_plain(value):
                reading.unread(at)  # a text where the API has none
        elif value is not None and not _beside(reading, items, at, key, value):
            reading.unread(at)
    reading.stream = _flag(document, "stream")
    _flag(document, "background")
    model, user = document.get("model"), document.get("user")
    reading.subject = Subject(model=model if isinstance(model, str) else "", user=user if isinstance(user, str) else "")
    return reading


def read_answer(document: Any) -> Reading:
    """Read a response, or an event's. Raises WireError where it can't be one."""
    if not isinstance(document, dict):
        raise WireError("the upstream's answer is not a JSON object", code="invalid_type")
    reading = Reading()
    items = Items(reading, 0)
    for key, value in document.items():
        at = f"/{escape(key)}"
        if value is None:
            continue
        if key == "output":
            items.items(at, value)
            if not value and document.get("status") in OPEN:
                reading.skip(at, LATER)
        elif key == "output_text":
            items.string(at, value, "assistant", "text")
        elif key == "error":
            read_strings(reading, at, value, role="upstream", kind="text", choice=0)
        elif key == "moderation":
            read_moderation(reading, at, value)
        elif key in ANSWER_SKIPPED:
            reading.skip(at, ANSWER_SKIPPED[key])
        elif key in ANSWER_PLAIN:
            if not is_plain(value):
                reading.unread(at)
        elif not _beside(reading, items, at, key, value):
            reading.unread(at)
    return reading


def read_list(document: Any) -> Reading:
    """Read a page of items (`GET …/input_items`). Raises WireError where it can't be one."""
    if not isinstance(document, dict):
        raise WireError("the upstream's answer is not a JSON object", code="invalid_type")
    reading = Reading()
    items = Items(reading, 0)
    for key, value in document.items():
        at = f"/{escape(key)}"
        if key == "data":
            items.items(at, value)
        elif key == "error":
            read_strings(reading, at, value, role="upstream", kind="text", choice=0)
        elif not is_plain(value):
            reading.unread(at)
    return reading


def without_echo(segments: Sequence[Segment], sent: Mapping[str, str], skipped: dict[str, str]) -> list[Segment]:
    """Less what an answer repeats of its request: the same text at the same place. `sent` is what the upstream was sent,
    by pointer."""
    left = []
    for segment in segments:
        if sent.get(segment.where) == segment.text and not segment.where.startswith("/output"):
            skipped[segment.where] = ECHO
        else:
            left.append(segment)
    return left


def _flag(document: dict[str, Any], key: str) -> bool:
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise WireError(f"{key} must be true or false", where=f"/{key}", code="invalid_type")
    return bool(value)


def _input(items: Items, value: Any) -> None:
    if isinstance(value, str):
        items.add("/input", value, "user", "text")
    elif value is not None:
        if not isinstance(value, list):
            raise WireError("input must be a string or an array of items", where="/input", code="invalid_type")
        items.items("/input", value)


def _beside(reading: Reading, items: Items, where: str, key: str, value: Any) -> bool:
    """What a request says beside its input, and its answer repeats. False: that is no such member."""
    if key == "instructions":
        if isinstance(value, list):
            items.items(where, value)
        else:
            items.string(where, value, "system", "text")
    elif key == "tools":
        items.tools(where, value)
    elif key == "text":
        items.schema(where, _less(value, "verbosity"), "system")
    elif key == "prompt":
        _prompt(reading, items, where, value)
    elif key == "metadata":
        items.strings(where, value, "user", "text")
    elif key in IDENTIFIERS:
        items.string(where, value, "user", "identifier")
    elif key in UNSEEN:
        reading.hidden(where, UNSEEN[key])
    else:
        return False
    return True


def _less(value: Any, key: str) -> Any:
    if isinstance(value, dict) and is_plain(value.get(key)):
        return {name: item for name, item in value.items() if name != key}
    return value


def _prompt(reading: Reading, items: Items, where: str, value: Any) -> None:
    """A prompt that the upstream keeps, and what is put into it."""
    if not isinstance(value, dict):
        items.odd(where, value, "user", "text", "prompt must be an object")
        return
    for key, item in value.items():
        at = f"{where}/{escape(key)}"
        if key == "variables" and isinstance(item, dict):
            items.add(at, "\n".join(item), "user", "text", fixed=True)
            for name, filled in item.items():
                items.parts(f"{at}/{escape(name)}", filled, "user", "text")
        elif key == "id":
            reading.hidden(at, UNSEEN_PROMPT)
        elif key != "version" or not is_plain(item):
            items.strings(at, item, "user", "text")
