"""The chat API's stream: where the texts of a `chat.completion.chunk` stand, and the chunks that the guard itself says.

A delta's channel is the pointer at which the same text stands in the plain answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Kind, Reading
from lockgate.verdict import Flag
from lockgate.wire.chat_fields import ANSWER_KNOWN, ANSWER_SKIPPED, ANSWER_STRINGS, API_WORD, CHUNK_CHOICE_KNOWN
from lockgate.wire.edit import choices_in, moved_offsets, ranges
from lockgate.wire.filter_reply import BESIDE, read_beside
from lockgate.wire.lens import Cite, Delta, EventReading, Said, Voice
from lockgate.wire.logprobs import spell
from lockgate.wire.pointer import escape
from lockgate.wire.schema_text import read_odd, read_strings

_DELTA_STRINGS: dict[str, Kind] = {
    "content": "text",
    "refusal": "text",
    "reasoning_content": "reasoning",
    "reasoning": "reasoning",
}
_DELTA_KNOWN = frozenset({*_DELTA_STRINGS, "role", "tool_calls", "function_call", "audio", "annotations"})


def read_event(document: Any) -> EventReading:
    """The deltas of one chunk. Raises WireError where it can't be one. A value of another shape than the API's is read
    string by string, as in a plain answer."""
    if not isinstance(document, dict):
        raise WireError("an event's data must be a JSON object", code="invalid_type")
    reading = EventReading()
    choices = document.get("choices")
    if isinstance(choices, list):
        for i, choice in enumerate(choices):
            _choice(reading, f"/choices/{i}", choice, i)
    else:
        add_other(reading, "/choices", choices, 0, "/choices")
    for key in ANSWER_STRINGS:
        add_whole(reading, f"/{key}", document.get(key), 0, f"/{key}")
    if not document.keys() <= ANSWER_KNOWN:
        _beside(reading, document)
        add_rest(reading, "", document.keys() - ANSWER_KNOWN - BESIDE)
    return reading


def _beside(reading: EventReading, document: dict[str, Any]) -> None:
    found = Reading()
    read_beside(found, document)
    _add_found(reading, "", found, 0, "", whole=True)
    reading.skipped.update(found.skipped)
    reading.unknown.extend(found.unknown)


def _choice(reading: EventReading, where: str, choice: Any, position: int) -> None:
    if not isinstance(choice, dict):
        add_other(reading, where, choice, position, where)
        return
    index = index_of(choice, position)
    if choice.get("index", index) != index:
        add_unread(reading, f"/choices/{index}/index")
    before = len(reading.deltas)
    delta = choice.get("delta")
    message = f"/choices/{index}/message"
    if isinstance(delta, dict):
        _delta(reading, f"{where}/delta", delta, index, message)
    else:
        add_other(reading, f"{where}/delta", delta, index, message)
        delta = {}
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict):
        _logprobs(reading, f"{where}/logprobs", logprobs, delta, index)
    elif logprobs is not None:
        add_unread(reading, f"/choices/{index}/logprobs")
    if choice.get("token_ids") is not None:
        for spelled in reading.deltas[before:]:
            spelled.drop = (*spelled.drop, f"{where}/token_ids")
    reason = choice.get("finish_reason")
    if reason and index not in reading.ended:  # some upstreams say "" until there is one
        reading.ended.append(index)
        if isinstance(reason, str) and not API_WORD.fullmatch(reason):
            add_unread(reading, f"/choices/{index}/finish_reason")
    if not choice.keys() <= CHUNK_CHOICE_KNOWN:
        add_rest(reading, f"/choices/{index}", choice.keys() - CHUNK_CHOICE_KNOWN)


def index_of(choice: Any, position: int) -> int:
    """The index of the choice that stands at `position` in an event: its position, where it says none or nonsense."""
    index = choice.get("index") if isinstance(choice, dict) else None
    return position if isinstance(index, bool) or not isinstance(index, int) or index < 0 else index


def _delta(reading: EventReading, where: str, delta: dict[str, Any], choice: int, channel: str) -> None:
    for key, value in delta.items():
        kind = _DELTA_STRINGS.get(key)
        if kind is not None:
            add_text(reading, choice, f"{channel}/{key}", f"{where}/{key}", kind, value)
        elif key == "role" or value is None:
            continue
        elif key == "tool_calls":
            _tool_calls(reading, f"{where}/{key}", value, choice, f"{channel}/{key}")
        elif key == "function_call":
            _function(reading, f"{where}/{key}", value, choice, f"{channel}/{key}")
        elif key == "audio":
            _audio(reading, f"{where}/{key}", value, choice, f"{channel}/{key}")
        elif key == "annotations" and isinstance(value, list):
            for i, note in enumerate(value):
                at = f"{where}/{key}/{i}"
                add_whole(reading, at, note, choice, f"{channel}/{key}/{i}", plain=("type",))
                reach = max((end for _, _, end in ranges(at, note)), default=0)
                if reach:
                    moved = partial(moved_offsets, at, note)
                    reading.cites.append(Cite(f"{channel}/content", reach, moved, item=at))
        elif key == "annotations":
            add_other(reading, f"{where}/{key}", value, choice, f"{channel}/{key}")
        else:
            add_unread(reading, f"{channel}/{escape(key)}")


def add_text(
    reading: EventReading, choice: int, channel: str, where: str, kind: Kind, value: Any, *, fixed: bool = False
) -> None:
    if not isinstance(value, str):
        add_other(reading, where, value, choice, channel, kind=kind)
    elif value:
        reading.deltas.append(Delta(choice, channel, where, kind, value, fixed=fixed))


def _audio(reading: EventReading, where: str, audio: Any, choice: int, channel: str) -> None:
    if not isinstance(audio, dict):
        add_other(reading, where, audio, choice, channel)
        return
    add_text(reading, choice, f"{channel}/transcript", f"{where}/transcript", "text", audio.get("transcript"))
    if "data" in audio:
        reading.skipped[f"{channel}/data"] = "audio: not text"
    for key in audio.keys() - {"id", "data", "transcript", "expires_at"}:
        add_unread(reading, f"{channel}/{escape(key)}")


def _tool_calls(reading: EventReading, where: str, calls: Any, choice: int, channel: str) -> None:
    if not isinstance(calls, list):
        add_other(reading, where, calls, choice, channel, kind="tool_call")
        return
    for i, call in enumerate(calls):
        if not isinstance(call, dict):
            add_other(reading, f"{where}/{i}", call, choice, f"{channel}/{i}", kind="tool_call")
            continue
        index = call.get("index", i)
        # Whatever an upstream numbers its calls by: fragments of two of them must not fall into one channel.
        at = f"{channel}/{escape(index) if isinstance(index, str) else index if isinstance(index, int) else i}"
        _function(reading, f"{where}/{i}/function", call.get("function"), choice, f"{at}/function")
        _function(reading, f"{where}/{i}/custom", call.get("custom"), choice, f"{at}/custom", argument="input")
        for key in call.keys() - {"index", "id", "type", "function", "custom"}:
            add_unread(reading, f"{at}/{escape(key)}")


def _function(
    reading: EventReading, where: str, function: Any, choice: int, channel: str, *, argument: str = "arguments"
) -> None:
    if not isinstance(function, dict):
        add_other(reading, where, function, choice, channel, kind="tool_call")
        return
    add_text(reading, choice, f"{channel}/name", f"{where}/name", "tool_call", function.get("name"), fixed=True)
    add_text(reading, choice, f"{channel}/{argument}", f"{where}/{argument}", "tool_call", function.get(argument))
    for key in function.keys() - {"name", argument}:
        add_unread(reading, f"{channel}/{escape(key)}")


def _logprobs(reading: EventReading, where: str, logprobs: dict[str, Any], delta: dict[str, Any], choice: int) -> None:
    for key, value in logprobs.items():
        if value is None:
            continue
        at = f"{where}/{escape(key)}"
        if key not in ("content", "refusal") or not isinstance(value, list):
            add_unread(reading, at)
            continue
        spelled = spell(value)
        channel = f"/choices/{choice}/message/{key}"
        for known in reading.deltas:
            if known.channel == channel:
                known.drop = (*known.drop, where)
        if spelled == (delta.get(key) or ""):
            reading.skipped[f"/choices/{choice}/logprobs/{key}"] = f"spells {key}, which is read; dropped if edited"
        elif spelled:
            reading.deltas.append(
                Delta(choice, f"/choices/{choice}/logprobs/{key}", at, "text", spelled, drop=(where,))
            )


def add_other(reading: EventReading, where: str, value: Any, choice: int, channel: str, *, kind: Kind = "text") -> None:
    """A value of another shape than the API's."""
    if value is None:
        return
    found = Reading()
    read_odd(found, "", value, role="assistant", kind=kind, choice=choice)
    _add_found(reading, where, found, choice, channel)
    for _ in found.unknown:
        add_unread(reading, channel)


def add_whole(
    reading: EventReading, where: str, value: Any, choice: int, channel: str, *, plain: Collection[str] = ()
) -> None:
    """Strings that come whole, in one event."""
    if value is None:
        return
    found = Reading()
    read_strings(found, "", value, role="assistant", kind="text", plain=plain)
    _add_found(reading, where, found, choice, channel, whole=True)


def _add_found(
    reading: EventReading, where: str, found: Reading, choice: int, channel: str, *, whole: bool = False
) -> None:
    """Each of such strings is a channel of its own."""
    for segment in found.segments:
        name = f"{channel}{segment.where}"
        delta = Delta(
            choice, name, f"{where}{segment.where}", segment.kind, segment.text, fixed=segment.fixed, whole=whole
        )
        reading.deltas.append(delta)


def add_rest(reading: EventReading, where: str, keys: Iterable[str]) -> None:
    for key in keys:
        reason = ANSWER_SKIPPED.get(key)
        if reason is None:
            add_unread(reading, f"{where}/{escape(key)}")
        else:
            reading.skipped[f"{where}/{key}"] = reason


def add_unread(reading: EventReading, where: str) -> None:
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


class ChatVoice(Voice):
    """What the guard says in a chat's stream, as of the stream's own id, time and model."""

    def __init__(self) -> None:
        self._seen: dict[str, Any] = {}

    def hear(self, document: Any) -> None:
        if document and not self._seen.get("id"):
            self._seen = document

    def flags(self, choice: int, flags: Sequence[Flag], note: dict[str, Any]) -> list[Said]:
        return [("", flag_chunk(self._seen, choice, flags, note))]

    def refuse(self, choice: int, message: str, note: dict[str, Any]) -> list[Said]:
        return [("", refusal_chunk(self._seen, choice, message, note))]


def strip(document: Any, gone: Collection[int], empty: Callable[[int], bytes]) -> dict[str, bytes] | None:
    """Nothing of some choices is left in an event that has `choices`: see `Dialect.strip`."""
    choices = choices_in(document)
    places = {i: index_of(c, i) for i, c in enumerate(choices) if index_of(c, i) in gone}
    if places and len(places) == len(choices):
        return None
    return {f"/choices/{i}": empty(index) for i, index in places.items()}


def empty_choice(choice: int) -> bytes:
    """What is left in an event of a choice whose text may not leave."""
    return b'{"index":%d,"delta":{},"finish_reason":null}' % choice


def start_chunk(seen: dict[str, Any], choice: int) -> bytes:
    """The first chunk of a stream that never reached the upstream."""
    return _chunk(seen, {"index": choice, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})
