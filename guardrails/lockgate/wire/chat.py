"""The chat API (`POST /chat/completions`): every place of a request, an answer and a delta that holds text.

Sources: the OpenAI API reference and the types of its Python SDK; `reasoning_content` / `reasoning` as DeepSeek, vLLM
and SGLang send them. What is not named here is recorded as ``unread: unknown``.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Exchange, Kind, Reading, Role, Segment, Subject
from lockgate.verdict import Edit
from lockgate.wire import chat_stream
from lockgate.wire.chat_fields import (
    ANSWER_KNOWN,
    ANSWER_SKIPPED,
    ANSWER_STRINGS,
    API_WORD,
    CHOICE_KNOWN,
    IDENTIFIERS,
    LINKS,
    MEDIA,
    MESSAGE_KNOWN,
    MESSAGE_STRINGS,
    PART_SETTINGS,
    REQUEST_PLAIN,
    ROLES,
    SETTINGS,
)
from lockgate.wire.data_url import text_of
from lockgate.wire.edit import choices_in, dependants, refuse_choices
from lockgate.wire.filter_reply import BESIDE, read_beside
from lockgate.wire.lens import Dialect, EventReading, Note, RequestReading, Said
from lockgate.wire.logprobs import read_logprobs
from lockgate.wire.pointer import escape
from lockgate.wire.schema_text import read_odd, read_setting, read_strings, read_tool
from lockgate.wire.splice import splice

MOST_CHOICES = 128
"""Choices that an answer of ours has at most."""


class ChatLens(Dialect):
    """The dialect of `/chat/completions`. Streams are in `chat_stream.py`, edits and refusals in `edit.py`."""

    dialect = "chat"
    operation = "chat"
    path = "/chat/completions"
    done = True
    beside: Collection[str] = frozenset({"metadata"})
    """Members of an answer whose words are judged with the first choice's."""

    def read_request(self, document: Any) -> RequestReading:
        """Raises WireError where the document can't be a chat request."""
        if not isinstance(document, dict):
            raise WireError("the body must be a JSON object", code="invalid_type")
        messages = document.get("messages")
        if not isinstance(messages, list):
            raise WireError("messages must be an array", where="/messages", code="invalid_type")
        reading = RequestReading()
        for i, message in enumerate(messages):
            _message(reading, f"/messages/{i}", message)
        for key, value in document.items():
            if key in REQUEST_PLAIN:
                if key != "model" or not isinstance(value, str):
                    read_setting(reading, f"/{key}", value)
            elif key != "messages":
                read_member(reading, f"/{escape(key)}", key, value)
        reading.stream = read_flag(document, "stream")
        reading.choices = read_count(document)
        model = document.get("model")
        user = document.get("user")
        reading.subject = Subject(
            model=model if isinstance(model, str) else "", user=user if isinstance(user, str) else ""
        )
        return reading

    def read_answer(self, document: Any) -> Reading:
        """Read a plain answer. Raises WireError where it can't be one."""
        if not isinstance(document, dict):
            raise WireError("the upstream's answer is not a JSON object", code="invalid_type")
        reading = Reading()
        for key in ANSWER_STRINGS:
            if document.get(key) is not None:
                read_strings(reading, f"/{key}", document[key], role="upstream", kind="text")
        choices = document.get("choices")
        for i, choice in enumerate(choices if isinstance(choices, list) else ()):
            _choice(reading, f"/choices/{i}", choice, i)
        if not isinstance(choices, list):
            read_other(reading, "/choices", choices, "assistant", "text", 0, "choices must be an array")
        read_beside(reading, document)
        read_rest(reading, "", document.keys() - ANSWER_KNOWN - BESIDE)
        return reading

    def read_event(self, document: Any) -> EventReading:
        """Read one event of a stream. Raises WireError where it can't be one."""
        return chat_stream.read_event(document)

    def choices(self, document: Any) -> int:
        return len(choices_in(document))

    def refuse(self, body: bytes, document: Any, refused: Mapping[int, str]) -> bytes:
        out = refuse_choices(body, document, refused)
        gone = document.keys() & self.beside if 0 in refused else ()
        return splice(out, {f"/{key}": b"null" for key in gone})

    def dependants(self, document: Any, where: str, edits: Sequence[Edit]) -> dict[str, bytes | None]:
        return dependants(document, where, edits)

    def refusal(self, exchange: Exchange, message: str) -> dict[str, Any] | None:
        said = {"role": "assistant", "content": None, "refusal": message}
        return {
            "id": f"chatcmpl-{exchange.id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": exchange.subject.model,
            "choices": [
                {"index": i, "message": said, "logprobs": None, "finish_reason": "content_filter"}
                for i in range(min(exchange.choices, MOST_CHOICES))
            ],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }

    def voice(self) -> chat_stream.ChatVoice:
        return chat_stream.ChatVoice()

    def strip(self, document: Any, gone: Collection[int]) -> dict[str, bytes] | None:
        return chat_stream.strip(document, gone, chat_stream.empty_choice)

    def refusal_stream(self, exchange: Exchange, message: str, note: Note) -> list[Said]:
        seen = {"id": f"chatcmpl-{exchange.id}", "created": int(time.time()), "model": exchange.subject.model}
        said: list[Said] = []
        for choice in range(min(exchange.choices, MOST_CHOICES)):
            said.append(("", chat_stream.start_chunk(seen, choice)))
            said.append(("", chat_stream.refusal_chunk(seen, choice, message, note)))
        return said


def read_flag(document: dict[str, Any], key: str) -> bool:
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise WireError(f"{key} must be true or false", where=f"/{key}", code="invalid_type")
    return bool(value)


def read_count(document: dict[str, Any]) -> int:
    value = document.get("n")
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WireError("n must be a positive integer", where="/n", code="invalid_type")
    return value


def read_member(reading: Reading, where: str, key: str, value: Any) -> None:
    """A member of a request, other than its messages. Raises WireError where it can't be that member."""
    if value is None:
        return
    if key == "tools":
        for i, tool in enumerate(_array(value, where)):
            read_tool(reading, f"{where}/{i}", tool)
    elif key == "functions":
        for i, function in enumerate(_array(value, where)):
            read_tool(reading, f"{where}/{i}", {"type": "function", "function": function}, bare=True)
    elif key == "response_format":
        read_strings(reading, where, value, role="system", kind="tool_schema", plain=("type",))
    elif key == "prediction":
        if not isinstance(value, dict):
            raise WireError("prediction must be an object", where=where, code="invalid_type")
        read_content(reading, f"{where}/content", value.get("content"), "assistant", "text")
        for other in value.keys() - {"type", "content"}:
            reading.unread(f"{where}/{escape(other)}")
    elif key in ("stop", "metadata", "web_search_options"):
        read_strings(reading, where, value, role="user", kind="text")
    elif key in IDENTIFIERS:
        read_odd(reading, where, value, role="user", kind="identifier", choice=None)
    else:
        reading.unread(where)


def _array(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise WireError(f"{where[1:]} must be an array", where=where, code="invalid_type")
    return value


def _message(reading: Reading, where: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise WireError("a message must be an object", where=where, code="invalid_type")
    name = message.get("role")
    if not isinstance(name, str):
        raise WireError("a message must have a role", where=f"{where}/role", code="invalid_type")
    role = ROLES.get(name)
    if role is None:
        # Its text is read as a user's, the least trusted; that the role itself means nothing to us is on record.
        role = "user"
        reading.unread(f"{where}/role")
    read_message(reading, where, message, role, None)


def read_message(reading: Reading, where: str, message: dict[str, Any], role: Role, choice: int | None) -> None:
    """Every text of one message, of a request or of an answer."""
    for key, value in message.items():
        if key == "content":
            kind: Kind = "tool_result" if role == "tool" else "text"
            read_content(reading, f"{where}/content", value, role, kind, choice)
        elif key not in MESSAGE_KNOWN:
            reading.unread(f"{where}/{escape(key)}")
        elif value is None:
            continue
        elif key in MESSAGE_STRINGS:
            _string(reading, f"{where}/{key}", value, role, MESSAGE_STRINGS[key], choice)
        elif key == "tool_calls":
            for i, call in enumerate(_list(reading, f"{where}/{key}", value, role, "tool_call", choice)):
                _tool_call(reading, f"{where}/{key}/{i}", call, role, choice)
        elif key == "function_call":
            _function(reading, f"{where}/{key}", value, role, choice)
        elif key == "audio":
            _audio(reading, f"{where}/{key}", value, role, choice)
        elif key == "annotations":
            for i, note in enumerate(_list(reading, f"{where}/{key}", value, role, "text", choice)):
                at = f"{where}/{key}/{i}"
                read_strings(reading, at, note, role=role, kind="text", choice=choice, plain=("type",))


def _list(reading: Reading, where: str, value: Any, role: Role, kind: Kind, choice: int | None) -> list[Any]:
    if isinstance(value, list):
        return value
    read_other(reading, where, value, role, kind, choice, f"{where.rpartition('/')[2]} must be an array")
    return []


def _string(
    reading: Reading, where: str, value: Any, role: Role, kind: Kind, choice: int | None, *, fixed: bool = False
) -> None:
    if not isinstance(value, str):
        read_other(reading, where, value, role, kind, choice, "a string was expected")
    elif value:
        reading.segments.append(Segment(where, role, kind, value, choice, fixed))


def read_other(
    reading: Reading, where: str, value: Any, role: Role, kind: Kind, choice: int | None, problem: str
) -> None:
    """A value of another shape than the API's. A request's is refused; an answer has been paid for, and may come from a
    server with habits of its own, so it is read as it stands."""
    if value is None:
        return
    if choice is None:
        raise WireError(problem, where=where, code="invalid_type")
    read_odd(reading, where, value, role=role, kind=kind, choice=choice)


def read_content(reading: Reading, where: str, content: Any, role: Role, kind: Kind, choice: int | None = None) -> None:
    """A message's content: a string or parts."""
    if isinstance(content, str):
        if content:
            reading.segments.append(Segment(where, role, kind, content, choice))
    elif isinstance(content, list):
        for i, part in enumerate(content):
            _part(reading, f"{where}/{i}", part, role, kind, choice)
    else:
        read_other(reading, where, content, role, kind, choice, "content must be a string or an array of parts")


def _part(reading: Reading, where: str, part: Any, role: Role, kind: Kind, choice: int | None) -> None:
    if not isinstance(part, dict):
        read_other(reading, where, part, role, kind, choice, "a content part must be an object")
        return
    name = part.get("type")
    if not isinstance(name, str):
        reading.unread(where)
        return
    if name in ("text", "refusal", "input_text", "output_text"):
        key = "refusal" if name == "refusal" else "text"
        _string(reading, f"{where}/{key}", part.get(key), role, kind, choice)
        _rest_of_part(reading, where, part.keys() - {"type", key})
        return
    if name == "thinking":
        read_content(reading, f"{where}/thinking", part.get("thinking"), role, "reasoning", choice)
        _rest_of_part(reading, where, part.keys() - {"type", "thinking"})
        return
    if name in MEDIA:
        _media(reading, where, name, part.get(name), role, kind, choice)
        _rest_of_part(reading, where, part.keys() - {"type", name})
        return
    reading.unread(where)


def _media(reading: Reading, where: str, name: str, body: Any, role: Role, kind: Kind, choice: int | None) -> None:
    """Media are not looked into, but for data that is a text. Where they stand elsewhere, their address is a text: it can carry one out."""
    reading.skip(where, MEDIA[name])
    places = [(f"{where}/{name}", body)]
    if isinstance(body, dict):
        places = [(f"{where}/{name}/{key}", body.get(key)) for key in LINKS]
        if name == "file":
            _string(reading, f"{where}/file/filename", body.get("filename"), role, kind, choice)
    for place, url in places:
        if isinstance(url, str) and url and url[:5].lower() != "data:":
            reading.segments.append(Segment(place, role, "link", url, choice))
        elif isinstance(url, str) and (text := text_of(url)):
            reading.segments.append(Segment(place, role, "document", text, choice, fixed=True))
    data = body.get("file_data") if isinstance(body, dict) else None
    if isinstance(data, str) and (text := text_of(data)):
        reading.segments.append(Segment(f"{where}/{name}/file_data", role, "document", text, choice, fixed=True))


def _rest_of_part(reading: Reading, where: str, keys: Iterable[str]) -> None:
    for key in keys:
        if key in PART_SETTINGS:
            reading.skip(f"{where}/{key}", SETTINGS)
        else:
            reading.unread(f"{where}/{escape(key)}")


def _audio(reading: Reading, where: str, audio: Any, role: Role, choice: int | None) -> None:
    if not isinstance(audio, dict):
        read_other(reading, where, audio, role, "text", choice, "audio must be an object")
        return
    _string(reading, f"{where}/transcript", audio.get("transcript"), role, "text", choice)
    if "data" in audio:
        reading.skip(f"{where}/data", "audio: not text")
    for key in audio.keys() - {"id", "data", "transcript", "expires_at"}:
        reading.unread(f"{where}/{escape(key)}")


def _tool_call(reading: Reading, where: str, call: Any, role: Role, choice: int | None) -> None:
    if not isinstance(call, dict):
        read_other(reading, where, call, role, "tool_call", choice, "a tool call must be an object")
        return
    _function(reading, f"{where}/function", call.get("function"), role, choice)
    _function(reading, f"{where}/custom", call.get("custom"), role, choice, argument="input")
    for key in call.keys() - {"id", "type", "index", "function", "custom"}:
        reading.unread(f"{where}/{escape(key)}")


def _function(
    reading: Reading, where: str, function: Any, role: Role, choice: int | None, *, argument: str = "arguments"
) -> None:
    """A function's name and arguments; a custom tool's name and input."""
    if not isinstance(function, dict):
        read_other(reading, where, function, role, "tool_call", choice, "a function call must be an object")
        return
    _string(reading, f"{where}/name", function.get("name"), role, "tool_call", choice, fixed=True)
    _string(reading, f"{where}/{argument}", function.get(argument), role, "tool_call", choice)
    for key in function.keys() - {"name", argument}:
        reading.unread(f"{where}/{escape(key)}")


def _choice(reading: Reading, where: str, choice: Any, position: int) -> None:
    if not isinstance(choice, dict):
        read_other(reading, where, choice, "assistant", "text", position, "a choice must be an object")
        return
    message = choice.get("message")
    if isinstance(message, dict):
        read_message(reading, f"{where}/message", message, "assistant", position)
    else:
        read_other(reading, f"{where}/message", message, "assistant", "text", position, "a message must be an object")
        message = {}
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict):
        read_logprobs(reading, f"{where}/logprobs", logprobs, message, position)
    elif logprobs is not None:
        reading.unread(f"{where}/logprobs")
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason and not API_WORD.fullmatch(reason):
        reading.unread(f"{where}/finish_reason")
    read_rest(reading, where, choice.keys() - CHOICE_KNOWN)


def read_rest(reading: Reading, where: str, keys: Iterable[str]) -> None:
    for key in keys:
        reason = ANSWER_SKIPPED.get(key)
        if reason is None:
            reading.unread(f"{where}/{escape(key)}")
        else:
            reading.skip(f"{where}/{key}", reason)
