"""The chat API's stream: where the texts of a `chat.completion.chunk` stand, and the chunks that the guard itself says.

A delta's channel is the pointer at which the same text stands in the plain answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Kind, Reading
from lockgate.verdict import Flag
from lockgate.wire.chat_fields import ANSWER_KNOWN, ANSWER_SKIPPED, CHOICE_KNOWN
from lockgate.wire.lens import Delta, EventReading
from lockgate.wire.logprobs import spell
from lockgate.wire.pointer import escape
from lockgate.wire.schema_text import read_strings

_DELTA_STRINGS: dict[str, Kind] = {
    "content": "text",
    "refusal": "text",
    "reasoning_content": "reasoning",
    "reasoning": "reasoning",
}
_DELTA_KNOWN = frozenset({*_DELTA_STRINGS, "role", "tool_calls", "function_call", "audio", "annotations"})


def read_event(document: Any) -> EventReading:
    """The deltas of one chunk. Raises WireError where it can't be one."""
    if not isinstance(document, dict):
        raise WireError("an event's data must be a JSON object", code="invalid_type")
    reading = EventReading()
    choices = document.get("choices")
    if choices is not None:
        if not isinstance(choices, list):
            raise WireError("choices must be an array", where="/choices", code="invalid_type")
        for i, choice in enumerate(choices):
            _choice(reading, f"/choices/{i}", choice, i)
    if document.get("error") is not None:
        _whole(reading, "/error", document["error"], 0, "/error")
    if not document.keys() <= ANSWER_KNOWN:
        _others(reading, "", document.keys() - ANSWER_KNOWN)
    return reading


def _choice(reading: EventReading, where: str, choice: Any, position: int) -> None:
    if not isinstance(choice, dict):
        raise WireError("a choice must be an object", where=where, code="invalid_type")
    index = choice.get("index", position)
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise WireError("a choice's index must be a number", where=f"{where}/index", code="invalid_type")
    delta = choice.get("delta")
    if delta is not None:
        if not isinstance(delta, dict):
            raise WireError("a delta must be an object", where=f"{where}/delta", code="invalid_type")
        _delta(reading, f"{where}/delta", delta, index, f"/choices/{index}/message")
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict):
        _logprobs(reading, f"{where}/logprobs", logprobs, delta or {}, index)
    if choice.get("finish_reason"):  # some upstreams say "" until there is one
        reading.ended.append(index)
    if not choice.keys() <= CHOICE_KNOWN:
        _others(reading, f"/choices/{index}", choice.keys() - CHOICE_KNOWN)


def _delta(reading: EventReading, where: str, delta: dict[str, Any], choice: int, channel: str) -> None:
    for key, value in delta.items():
        kind = _DELTA_STRINGS.get(key)
        if kind is not None:
            _add(reading, choice, f"{channel}/{key}", f"{where}/{key}", kind, value)
        elif key == "role" or value is None:
            continue
        elif key == "tool_calls":
            _tool_calls(reading, f"{where}/{key}", value, choice, f"{channel}/{key}")
        elif key == "function_call":
            _function(reading, f"{where}/{key}", value, choice, f"{channel}/{key}")
        elif key == "audio" and isinstance(value, dict):
            _add(reading, choice, f"{channel}/audio/transcript", f"{where}/audio/transcript", "text",
                 value.get("transcript"))  # fmt: skip
            if "data" in value:
                reading.skipped[f"{channel}/audio/data"] = "audio: not text"
        elif key == "annotations":
            _whole(reading, f"{where}/{key}", value, choice, f"{channel}/{key}")
        else:
            _unread(reading, f"{channel}/{escape(key)}")


def _add(
    reading: EventReading, choice: int, channel: str, where: str, kind: Kind, value: Any, *, fixed: bool = False
) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise WireError("a string was expected", where=where, code="invalid_type")
    if value:
        reading.deltas.append(Delta(choice, channel, where, kind, value, fixed=fixed))


def _tool_calls(reading: EventReading, where: str, calls: Any, choice: int, channel: str) -> None:
    if not isinstance(calls, list):
        raise WireError("tool_calls must be an array", where=where, code="invalid_type")
    for i, call in enumerate(calls):
        if not isinstance(call, dict):
            raise WireError("a tool call must be an object", where=f"{where}/{i}", code="invalid_type")
        index = call.get("index", i)
        _function(reading, f"{where}/{i}/function", call.get("function"), choice, f"{channel}/{index}/function")
        custom = call.get("custom")
        if isinstance(custom, dict):
            base = f"{channel}/{index}/custom"
            _add(reading, choice, f"{base}/name", f"{where}/{i}/custom/name", "tool_call", custom.get("name"),
                 fixed=True)  # fmt: skip
            _add(reading, choice, f"{base}/input", f"{where}/{i}/custom/input", "tool_call", custom.get("input"))
        for key in call.keys() - {"index", "id", "type", "function", "custom"}:
            _unread(reading, f"{channel}/{index}/{escape(key)}")


def _function(reading: EventReading, where: str, function: Any, choice: int, channel: str) -> None:
    if function is None:
        return
    if not isinstance(function, dict):
        raise WireError("a function call must be an object", where=where, code="invalid_type")
    _add(reading, choice, f"{channel}/name", f"{where}/name", "tool_call", function.get("name"), fixed=True)
    _add(reading, choice, f"{channel}/arguments", f"{where}/arguments", "tool_call", function.get("arguments"))


def _logprobs(reading: EventReading, where: str, logprobs: dict[str, Any], delta: dict[str, Any], choice: int) -> None:
    for key, value in logprobs.items():
        if value is None:
            continue
        at = f"{where}/{escape(key)}"
        if key not in ("content", "refusal") or not isinstance(value, list):
            _unread(reading, at)
            continue
        spelled = spell(value)
        channel = f"/choices/{choice}/message/{key}"
        if spelled == (delta.get(key) or ""):
            reading.skipped[f"/choices/{choice}/logprobs/{key}"] = f"spells {key}, which is read; dropped if edited"
            for known in reading.deltas:
                if known.channel == channel:
                    known.drop = where
        elif spelled:
            reading.deltas.append(Delta(choice, f"/choices/{choice}/logprobs/{key}", at, "text", spelled, drop=where))


def _whole(reading: EventReading, where: str, value: Any, choice: int, channel: str) -> None:
    """Strings that come whole, in one event: each is a channel of its own."""
    found = Reading()
    read_strings(found, "", value, role="assistant", kind="text")
    for segment in found.segments:
        # Two such events may use the same place; the count keeps their texts apart.
        name = f"{channel}{segment.where}"
        reading.deltas.append(Delta(choice, name, f"{where}{segment.where}", "text", segment.text, fixed=segment.fixed))


def _others(reading: EventReading, where: str, keys: Iterable[str]) -> None:
    for key in keys:
        reason = ANSWER_SKIPPED.get(key)
        if reason is None:
            _unread(reading, f"{where}/{escape(key)}")
        else:
            reading.skipped[f"{where}/{key}"] = reason


def _unread(reading: EventReading, where: str) -> None:
    reading.skipped[where] = "unread: unknown"
    reading.unknown.append(where)


def _chunk(seen: dict[str, Any], choice: dict[str, Any], extra: dict[str, Any] | None = None) -> bytes:
    """A chunk of ours, with the id, time and model of the stream it joins."""
    document = {
        "id": seen.get("id", ""),
        "object": "chat.completion.chunk",
        "created": seen.get("created", 0),
        "model": seen.get("model", ""),
        "choices": [choice],
        **(extra or {}),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def flag_chunk(seen: dict[str, Any], choice: int, flags: Sequence[Flag], note: dict[str, Any]) -> bytes:
    """An empty delta that carries `lockgate.flags`; it goes before the choice's finish."""
    shown = {**note, "flags": [flag.public() for flag in flags]}
    return _chunk(seen, {"index": choice, "delta": {}, "finish_reason": None}, {"lockgate": shown})


def refusal_chunk(seen: dict[str, Any], choice: int, message: str, note: dict[str, Any]) -> bytes:
    """The end of a refused choice: `content_filter`, and why, in `refusal`."""
    delta = {"refusal": message} if message else {}
    return _chunk(seen, {"index": choice, "delta": delta, "finish_reason": "content_filter"}, {"lockgate": note})


def empty_choice(choice: int) -> bytes:
    """What is left in an event of a choice whose text may not leave."""
    return b'{"index":%d,"delta":{},"finish_reason":null}' % choice


def start_chunk(seen: dict[str, Any], choice: int) -> bytes:
    """The first chunk of a stream that never reached the upstream."""
    return _chunk(seen, {"index": choice, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
