"""APIs that take an `input` and answer with numbers: embeddings, and moderations where they are the upstream's.

Their answers hold no text and can't refuse: a refusal is an error 400, whatever the rule's `status` says.
"""

from __future__ import annotations

from abc import abstractmethod
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lockgate.errors import WireError
from lockgate.exchange import Exchange, Reading, Segment, Subject
from lockgate.verdict import Flag
from lockgate.wire.chat_fields import API_WORD
from lockgate.wire.lens import Dialect, EventReading, Note, RequestReading, Said, Voice
from lockgate.wire.pointer import escape
from lockgate.wire.schema_text import read_odd, read_setting, read_strings

TOKENS = "unread: tokens"
IMAGE = "image: not text"
VECTORS = "vectors: not text"
FILTER = "filter: the upstream's own"

_SETTING = "a setting: a number, a switch or a word of the API"
_WORD = "a word of the API"
_NUMBER = "numbers"
_MODEL = "a name of the upstream's"
BESIDE: dict[str, dict[str, str]] = {
    "embeddings.prompt": {
        "/model": "a name: the audit line has it",
        "/dimensions": _SETTING,
        "/encoding_format": _SETTING,
    },
    "embeddings.completion": {
        "/object": _WORD,
        "/model": _MODEL,
        "/usage": _NUMBER,
        "/data/*/object": _WORD,
        "/data/*/index": _NUMBER,
    },
    "moderations.prompt": {"/model": "a name: the audit line has it", "/input/*/type": _WORD},
    "moderations.completion": {"/id": "an id, made by whoever serves the model", "/model": _MODEL},
}
"""As `chat_fields.BESIDE`."""


class _Mute(Voice):
    """These APIs have no streams to speak in."""

    def hear(self, document: Any) -> None:
        pass

    def flags(self, choice: int, flags: Sequence[Flag], note: Note) -> list[Said]:  # noqa: ARG002
        return []

    def refuse(self, choice: int, message: str, note: Note) -> list[Said]:  # noqa: ARG002
        return []


class InputDialect(Dialect):
    """What the two have in common."""

    done = False
    plain: Collection[str] = ()
    """Members of a request that are settings, besides `model`."""

    def read_request(self, document: Any) -> RequestReading:
        """Raises WireError where the document can't be such a request."""
        if not isinstance(document, dict):
            raise WireError("the body must be a JSON object", code="invalid_type")
        reading = RequestReading()
        if document.get("input") is None:
            raise WireError("input is required", where="/input", code="missing_required_parameter")
        self.read_input(reading, document["input"])
        for key, value in document.items():
            where = f"/{escape(key)}"
            if key in ("input", "model") or value is None:
                continue
            if key in self.plain:
                read_setting(reading, where, value)
            elif key == "user":
                read_odd(reading, where, value, role="user", kind="identifier", choice=None)
            else:
                reading.unread(where)
        model, user = document.get("model"), document.get("user")
        reading.subject = Subject(
            model=model if isinstance(model, str) else "", user=user if isinstance(user, str) else ""
        )
        return reading

    @abstractmethod
    def read_input(self, reading: RequestReading, given: Any) -> None:
        """The request's `input`. Raises WireError."""

    @abstractmethod
    def read_results(self, reading: Reading, document: dict[str, Any]) -> None:
        """What an answer has besides its error."""

    def read_answer(self, document: Any) -> Reading:
        """Raises WireError where the document can't be an answer."""
        if not isinstance(document, dict):
            raise WireError("the upstream's answer is not a JSON object", code="invalid_type")
        reading = Reading()
        if document.get("error") is not None:
            read_strings(reading, "/error", document["error"], role="upstream", kind="text")
        self.read_results(reading, document)
        return reading

    def read_event(self, document: Any) -> EventReading:  # noqa: ARG002
        """Raises WireError: there are no such events."""
        raise WireError("this API has no streams", code="invalid_type")

    def choices(self, document: Any) -> int:  # noqa: ARG002
        return 0

    def refuse(self, body: bytes, document: Any, refused: Mapping[int, str]) -> bytes:  # noqa: ARG002
        return body

    def refusal(self, exchange: Exchange, message: str) -> None:  # noqa: ARG002
        return None

    def voice(self) -> Voice:
        return _Mute()

    def strip(self, document: Any, gone: Collection[int]) -> dict[str, bytes] | None:  # noqa: ARG002
        return None

    def refusal_stream(self, exchange: Exchange, message: str, note: Note) -> list[Said]:  # noqa: ARG002
        return []


class EmbeddingsLens(InputDialect):
    """The dialect of `/embeddings`."""

    dialect = "embeddings"
    operation = "embeddings"
    path = "/embeddings"
    plain = frozenset({"dimensions", "encoding_format"})

    def read_input(self, reading: RequestReading, given: Any) -> None:
        if isinstance(given, str):
            _text(reading, "/input", given)
            return
        if not isinstance(given, list):
            raise WireError("input must be a string or an array", where="/input", code="invalid_type")
        if given and all(_is_number(one) for one in given):
            _tokens(reading, "/input")
            return
        for i, one in enumerate(given):
            where = f"/input/{i}"
            if isinstance(one, str):
                _text(reading, where, one)
            elif isinstance(one, list) and all(_is_number(token) for token in one):
                _tokens(reading, where)
            else:  # parts, as some servers take them
                reading.unread(where)

    def read_results(self, reading: Reading, document: dict[str, Any]) -> None:
        data = document.get("data")
        if data is not None:
            reading.skip("/data", VECTORS)
        for i, item in enumerate(data if isinstance(data, list) else ()):
            if not isinstance(item, dict):
                reading.unread(f"/data/{i}")
                continue
            if not _is_vector(item.get("embedding")):
                reading.unread(f"/data/{i}/embedding")
            for key in item.keys() - {"embedding", "index", "object"}:
                reading.unread(f"/data/{i}/{escape(key)}")
        if data is not None and not isinstance(data, list):
            reading.unread("/data")
        _rest(reading, document, {"data", "object", "model", "usage", "error"})


class ModerationsLens(InputDialect):
    """The dialect of `/moderations`."""

    dialect = "moderations"
    operation = "moderations"
    path = "/moderations"

    def read_input(self, reading: RequestReading, given: Any) -> None:
        """A string, strings, or parts."""
        if isinstance(given, str):
            _text(reading, "/input", given)
            return
        if not isinstance(given, list):
            raise WireError("input must be a string or an array", where="/input", code="invalid_type")
        if not given:
            raise WireError("input must not be empty", where="/input", code="empty_array")
        kind = type(given[0])
        for i, one in enumerate(given):
            where = f"/input/{i}"
            if not isinstance(one, (str, dict)) or type(one) is not kind:
                message = "input must hold strings alone, or content parts alone"
                raise WireError(message, where=where, code="invalid_type")
            if isinstance(one, str):
                _text(reading, where, one)
            else:
                _part(reading, where, one)

    def read_results(self, reading: Reading, document: dict[str, Any]) -> None:
        results = document.get("results")
        if results is not None:
            read_setting(reading, "/results", results, FILTER)
        _rest(reading, document, {"id", "model", "results", "error"})


def _part(reading: Reading, where: str, part: dict[str, Any]) -> None:
    name = part.get("type")
    if name == "text":
        text = part.get("text")
        if not isinstance(text, str):
            raise WireError("a text part must have a text", where=f"{where}/text", code="invalid_type")
        _text(reading, f"{where}/text", text)
        known = {"type", "text"}
    elif name == "image_url":
        body = part.get("image_url")
        if not isinstance(body, dict) or not isinstance(body.get("url"), str):
            raise WireError("an image part must have an image_url with a url", where=where, code="invalid_type")
        reading.skip(where, IMAGE)
        if body["url"] and body["url"][:5].lower() != "data:":
            reading.segments.append(Segment(f"{where}/image_url/url", "user", "link", body["url"]))
        for key in body.keys() - {"url"}:
            reading.unread(f"{where}/image_url/{escape(key)}")
        known = {"type", "image_url"}
    else:
        reading.unread(where)
        return
    for key in part.keys() - known:
        reading.unread(f"{where}/{escape(key)}")


def _text(reading: Reading, where: str, text: str) -> None:
    if text:
        reading.segments.append(Segment(where, "user", "text", text))


def _tokens(reading: Reading, where: str) -> None:
    """Token numbers are text that only its model's tokeniser can read: `unknown:` judges them."""
    reading.unread(where)
    reading.skip(where, TOKENS)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_vector(value: Any) -> bool:
    """Numbers, or base64 of as many 32-bit ones as it has bytes for."""
    if isinstance(value, list):
        return set(map(type, value)) <= {int, float}
    if not isinstance(value, str):
        return False
    try:
        return len(a2b_base64(value, strict_mode=True)) % 4 == 0
    except (Base64Error, ValueError):
        return False


def _rest(reading: Reading, document: dict[str, Any], known: Collection[str]) -> None:
    for key, value in document.items():
        if key not in known:
            reading.unread(f"/{escape(key)}")
        elif key in ("id", "object") and not (value is None or (isinstance(value, str) and API_WORD.fullmatch(value))):
            reading.unread(f"/{key}")
