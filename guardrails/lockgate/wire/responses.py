"""The Responses API (`POST /responses`, and `GET` of what it keeps). Sources: the OpenAI API reference and the types of
its Python SDK.

An answer has one choice: all of its output. Requests and answers are read in `responses_read.py`, items in
`responses_items.py`, events in `responses_stream.py`; `responses_voice.py` is what the guard says in a stream.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lockgate.act import apply
from lockgate.errors import WireError
from lockgate.exchange import Exchange, Reading
from lockgate.verdict import Edit
from lockgate.wire import responses_edit, responses_read, responses_stream
from lockgate.wire.lens import Dialect, EventReading, Note, RequestReading, Said
from lockgate.wire.pointer import escape
from lockgate.wire.responses_voice import ResponsesVoice


class ResponsesLens(Dialect):
    """The dialect of `/responses`. `sent` are texts of a request, by pointer, which its answer repeats: they are not
    looked at again."""

    dialect = "responses"
    operation = "chat"
    path = "/responses"
    done = False
    repeats = True
    dropped = b"[]"

    def __init__(self, exchange: Exchange | None = None, sent: Mapping[str, str] | None = None) -> None:
        self._exchange = exchange
        self._sent = sent or {}

    def answering(self, exchange: Exchange, edits: Sequence[Edit]) -> ResponsesLens:
        sent = {segment.where: segment.text for segment in exchange.prompt if not segment.where.startswith("/input")}
        for where in {edit.where for edit in edits} & sent.keys():
            sent[where] = apply(sent[where], [edit for edit in edits if edit.where == where])
        return type(self)(exchange, sent)

    def read_request(self, document: Any) -> RequestReading:
        return responses_read.read_request(document)

    def read_answer(self, document: Any) -> Reading:
        reading = responses_read.read_answer(document)
        reading.segments = responses_read.without_echo(reading.segments, self._sent, reading.skipped)
        return reading

    def read_event(self, document: Any) -> EventReading:
        reading = responses_stream.read_event(document)
        if self._sent and reading.deltas:
            responses_stream.drop_echo(reading, self._sent)
        return reading

    def choices(self, document: Any) -> int:
        return int(isinstance(document, dict) and isinstance(document.get("output"), list))

    def refuse(self, body: bytes, document: Any, refused: Mapping[int, str]) -> bytes:
        return responses_edit.refuse_output(body, document, refused[0])

    def dependants(self, document: Any, where: str, edits: Sequence[Edit]) -> dict[str, bytes | None]:
        return responses_edit.dependants(document, where, edits)

    def refusal(self, exchange: Exchange, message: str) -> dict[str, Any] | None:
        response = responses_edit.made_up(f"resp_{exchange.id}", exchange.subject.model, int(time.time()))
        return responses_edit.refused(response, [responses_edit.refusal_item(f"msg_{exchange.id}", message)])

    def voice(self) -> ResponsesVoice:
        if self._exchange is None:
            return ResponsesVoice("refused", "")
        return ResponsesVoice(self._exchange.id, self._exchange.subject.model)

    def strip(self, document: Any, gone: Collection[int]) -> dict[str, bytes] | None:
        """All but keep-alives is about the one choice."""
        kind = document.get("type") if isinstance(document, dict) else None
        return {} if not gone or kind == "keepalive" else None

    def noted(self, data: bytes, note: Note) -> bytes | None:
        return responses_edit.noted(data, note)

    def refusal_stream(self, exchange: Exchange, message: str, note: Note) -> list[Said]:
        return ResponsesVoice(exchange.id, exchange.subject.model).refuse(0, message, note)

    def told(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        inner = document.get("response")
        return inner if isinstance(inner, dict) else document


class InputTokens(ResponsesLens):
    """The dialect of `/responses/input_tokens`, which counts the tokens of a request: its answer holds a number."""

    path = "/responses/input_tokens"

    def choices(self, document: Any) -> int:  # noqa: ARG002 - none, whatever it holds
        return 0

    def refusal(self, exchange: Exchange, message: str) -> None:  # noqa: ARG002
        """Nobody asked a model."""
        return


class StoredResponse(ResponsesLens):
    """The dialect of `/responses/{id}`, asked for or cancelled: what was said in the background is guarded here."""

    operation = ""
    path = "/responses/{response_id}"
    stored = True

    def read_request(self, document: Any) -> RequestReading:
        """Raises WireError where there is a body, and it is no object."""
        reading = RequestReading()
        if document is None:
            return reading
        if not isinstance(document, dict):
            raise WireError("the body must be a JSON object", code="invalid_type")
        for key in document:
            reading.unread(f"/{escape(key)}")
        return reading

    def refusal(self, exchange: Exchange, message: str) -> None:  # noqa: ARG002
        """Nobody asked a model."""
        return


class StoredItems(StoredResponse):
    """The dialect of `/responses/{id}/input_items`: a page of what a response was given. It passes as a whole or not at
    all."""

    path = "/responses/{response_id}/input_items"

    def read_answer(self, document: Any) -> Reading:
        return responses_read.read_list(document)

    def choices(self, document: Any) -> int:  # noqa: ARG002 - none, whatever it holds
        return 0
