"""Reads a recorded exchange from a file, whatever of the usual forms it has.

A chat request; an answer; a list of messages; a stream as it was received (server-sent events) or as a list of its
chunks; an object with `request` and `response`, each in one of these forms.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lockgate.errors import SettingsError, WireError
from lockgate.explain import Recorded
from lockgate.wire.document import parse
from lockgate.wire.splice import locate
from lockgate_proxy.sse import Splitter

_STREAM = re.compile(r"\ufeff?\s*(?:data|event|id|retry)?:")
_FORMS = (
    "it must be a chat request (`messages`), an answer (`choices`), a recorded stream, "
    "or an object with `request` and `response`"
)


def read_recording(name: str, body: bytes) -> Recorded:
    """What `body`, the content of the file `name`, has of an exchange. Raises SettingsError: ``file:line: problem``."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name}:{_line(body, error.start)}: the file is not UTF-8") from None
    streamed = _STREAM.match(text) is not None
    try:
        document = None if streamed else parse(body, lenient=True)
    except WireError as error:
        problem = error.problem.replace("the body", "the file")
        if text.strip() and text.lstrip()[0] not in "{[\ufeff":
            problem = _FORMS
        raise SettingsError(f"{name}:{_line_of(error, text, body)}: {problem}") from None
    try:
        return Recorded(events=_said(_events(body), "")) if streamed else _recorded(document, body)
    except WireError as error:
        raise placed(error, name, body) from None


def placed(error: WireError, name: str, body: bytes) -> SettingsError:
    """The error of a part of the file `name`, at the line of what it points to, or of the nearest that is there."""
    return SettingsError(f"{name}:{_line(body, _offset(error.where, body))}: {error}")


def _offset(where: str, body: bytes) -> int:
    pointers = [where] if where.startswith("/re") else [where, f"/request{where}", f"/response{where}"]
    while any(pointers):
        for pointer in pointers:
            try:
                return locate(body, [pointer])[pointer][0]
            except (KeyError, ValueError, IndexError, RecursionError):
                continue
        pointers = [pointer.rpartition("/")[0] for pointer in pointers]
    return 0


def _recorded(document: Any, body: bytes) -> Recorded:
    if isinstance(document, list):
        if document and all(isinstance(item, dict) and "role" in item for item in document):
            return Recorded(request=_dump({"messages": document}))
        return Recorded(events=_chunks(document, ""))
    if not isinstance(document, dict):
        raise WireError(_FORMS)
    if "messages" in document:
        return Recorded(request=body)
    if "choices" in document or "error" in document:
        return Recorded(answer=body)
    if not document.keys() & {"request", "response"}:
        raise WireError(_FORMS)
    if other := sorted(document.keys() - {"request", "response"}):
        raise WireError(f"beside `request` and `response` there is {other[0]!r}", where=f"/{other[0]}")
    request = document.get("request")
    if request is not None and not (isinstance(request, dict) and "messages" in request):
        raise WireError("`request` must be a chat request", where="/request")
    asked = None if request is None else _dump(request)
    response = document.get("response")
    if isinstance(response, str) and _STREAM.match(response):
        return Recorded(asked, events=_said(_events(response.encode("utf-8", "surrogatepass")), "/response"))
    if isinstance(response, list):
        return Recorded(asked, events=_chunks(response, "/response"))
    if response is None:
        if request is None:
            raise WireError(_FORMS)
        return Recorded(asked)
    if isinstance(response, dict) and response.keys() & {"choices", "error"}:
        return Recorded(asked, answer=_dump(response))
    raise WireError("`response` must be an answer, a recorded stream, or a list of its chunks", where="/response")


def _chunks(chunks: list[Any], where: str) -> list[bytes]:
    """A stream's chunks: each the object that its event held, or the event's text."""
    found: list[bytes] = []
    for i, chunk in enumerate(chunks):
        if isinstance(chunk, dict) and chunk.keys() & {"choices", "error"}:
            found.append(_dump(chunk))
        elif isinstance(chunk, str) and _STREAM.match(chunk):
            found.extend(_events(chunk.encode("utf-8", "surrogatepass")))
        else:
            raise WireError("this is no chunk of a stream", where=f"{where}/{i}")
    return _said(found, where)


def _said(events: list[bytes], where: str) -> list[bytes]:
    if not events:
        raise WireError("the stream has no event with data", where=where)
    return events


def _events(body: bytes) -> list[bytes]:
    splitter = Splitter()
    events = [*splitter.feed(body + b"\n\n"), *splitter.end()]
    return [event.data for event in events if event.data is not None and not event.done]


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _line(body: bytes, offset: int) -> int:
    return body.count(b"\n", 0, offset) + 1


def _line_of(error: WireError, text: str, body: bytes) -> int:
    """The line of what can't be read as JSON."""
    if found := re.match(r"(line|byte) (\d+)", error.where):
        return int(found[2]) if found[1] == "line" else _line(body, int(found[2]))
    try:
        json.loads(text)
    except json.JSONDecodeError as problem:
        return problem.lineno
    return 1
