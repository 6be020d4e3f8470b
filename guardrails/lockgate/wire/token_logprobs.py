"""The log probabilities of an answer's tokens, in the shapes of chat, completions and responses: asked for in a request,
read from an answer or a stream's event, and taken out of it where the client did not ask.

Sources: the OpenAI API reference and the types of its Python SDK; vLLM, SGLang and llama.cpp, whose answers have the
same members. What is no such member is passed over: the lens of its API says what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lockgate.exchange import Token
from lockgate.wire.splice import with_member

Tokens = dict[str, list[Token]]
"""Pointer of an answer's own text in the plain answer → its tokens; none where the upstream told none."""

INCLUDE = "message.output_text.logprobs"
"""What a request of the Responses API has in its `include`."""
_ROUNDED = 0.01  # more than rounding may add to the logarithm of 1
_UNLIKELY = -9999.0  # what OpenAI says of tokens that are hardly possible
_BYTES = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")


class Asked(NamedTuple):
    """The member of a request that asks for log probabilities, and its value as JSON."""

    member: str
    value: bytes

    def put(self, body: bytes) -> bytes:
        """A request's body with it; every other byte is kept."""
        return with_member(body, self.member, self.value)


def asked(path: str, document: Mapping[str, Any]) -> Asked | None:
    """What a request to `path` (a dialect's) must say to get log probabilities. None where it says so itself, or says
    something there that is not understood, or nobody can ask."""
    if path == "/chat/completions" and document.get("logprobs") in (None, False):
        return Asked("logprobs", b"true")
    if path == "/completions" and document.get("logprobs") is None:
        return Asked("logprobs", b"1")  # 0 asks for the same, but some servers take it for no
    if path == "/responses" and document.get("background") is not True:
        include = document.get("include")
        listed = [] if include is None else include
        if isinstance(listed, list) and INCLUDE not in listed:
            return Asked("include", json.dumps([*listed, INCLUDE]).encode())
    return None


def answer_tokens(document: Any) -> Tokens:
    """The tokens of each text that a plain answer of any of these APIs says itself: no reasoning, tool call or refusal."""
    found: Tokens = {}
    for i, choice in enumerate(_objects(document, "choices")):
        message = choice.get("message")
        if isinstance(message, dict):
            _add(found, f"/choices/{i}/message/content", message.get("content"), choice.get("logprobs"))
        else:
            _add(found, f"/choices/{i}/text", choice.get("text"), choice.get("logprobs"))
    for i, item in enumerate(_objects(document, "output")):
        _of_item(found, f"/output/{i}", item)
    return found


def event_tokens(document: Any, found: Tokens) -> None:
    """Add what one event of a stream tells to `found`."""
    for i, choice in enumerate(_objects(document, "choices")):
        at = choice.get("index")
        at = at if type(at) is int and at >= 0 else i
        delta = choice.get("delta")
        if isinstance(delta, dict):
            _add(found, f"/choices/{at}/message/content", delta.get("content"), choice.get("logprobs"))
        else:
            _add(found, f"/choices/{at}/text", choice.get("text"), choice.get("logprobs"))
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(kind, str) or not kind.startswith("response.") or kind.endswith(".added"):
        return
    part = f"/output/{_index(document, 'output_index')}/content/{_index(document, 'content_index')}"
    if kind == "response.output_text.delta":
        _add(found, f"{part}/text", document.get("delta"), document.get("logprobs"))
        return
    whole: Tokens = {}
    if kind == "response.output_text.done":
        _add(whole, f"{part}/text", document.get("text"), document.get("logprobs"))
    elif isinstance(document.get("part"), dict):
        _of_part(whole, part, document["part"])
    elif isinstance(document.get("item"), dict):
        _of_item(whole, f"/output/{_index(document, 'output_index')}", document["item"])
    else:
        whole = answer_tokens(document.get("response"))
    for where, tokens in whole.items():
        found[where] = found.get(where) or tokens  # what was told in pieces is told again here


def without(document: Any) -> dict[str, bytes]:
    """What to put where into an answer or an event, so that it is as one whose request did not ask. Empty: it has none."""
    values: dict[str, bytes] = {}
    for i, choice in enumerate(_objects(document, "choices")):
        if choice.get("logprobs") is not None:
            values[f"/choices/{i}/logprobs"] = b"null"
    if isinstance(document, dict):
        if isinstance(document.get("type"), str) and document.get("logprobs"):
            values["/logprobs"] = b"[]"
        _empty_items(values, "", document)
        if isinstance(document.get("response"), dict):
            _empty_items(values, "/response", document["response"])
        if isinstance(document.get("item"), dict):
            _empty_parts(values, "/item", document["item"])
        part = document.get("part")
        if isinstance(part, dict) and part.get("logprobs"):
            values["/part/logprobs"] = b"[]"
    return values


def _empty_items(values: dict[str, bytes], where: str, document: Mapping[str, Any]) -> None:
    for i, item in _numbered(document.get("output")):
        _empty_parts(values, f"{where}/output/{i}", item)


def _empty_parts(values: dict[str, bytes], where: str, item: Mapping[str, Any]) -> None:
    for i, part in _numbered(item.get("content")):
        if part.get("logprobs"):
            values[f"{where}/content/{i}/logprobs"] = b"[]"


def _numbered(value: Any) -> list[tuple[int, dict[str, Any]]]:
    items = value if isinstance(value, list) else []
    return [(i, item) for i, item in enumerate(items) if isinstance(item, dict)]


def _objects(document: Any, key: str) -> list[dict[str, Any]]:
    """The items of an array, by their places: an empty object for what is none."""
    items = document.get(key) if isinstance(document, dict) else None
    return [item if isinstance(item, dict) else {} for item in items] if isinstance(items, list) else []


def _index(document: Mapping[str, Any], key: str) -> object:
    """As the lens of the Responses API names what has no number."""
    index = document.get(key)
    return index if type(index) is int and index >= 0 else "-"


def _of_item(found: Tokens, where: str, item: Mapping[str, Any]) -> None:
    for i, part in _numbered(item.get("content")):
        if item.get("type") in (None, "message"):
            _of_part(found, f"{where}/content/{i}", part)


def _of_part(found: Tokens, where: str, part: Mapping[str, Any]) -> None:
    if part.get("type") in (None, "output_text", "text"):
        _add(found, f"{where}/text", part.get("text"), part.get("logprobs"))


def _add(found: Tokens, where: str, text: Any, logprobs: Any) -> None:
    """`text` is a string, or a list of parts: each part's tokens are then among all of them."""
    tokens = _read(logprobs)
    if isinstance(text, list):
        for i, part in _numbered(text):
            if isinstance(part.get("text"), str):
                _add(found, f"{where}/{i}/text", part["text"], logprobs)
    elif tokens or (isinstance(text, str) and text):
        found.setdefault(where, []).extend(tokens)


def _read(logprobs: Any) -> list[Token]:
    """The tokens of chat (`content`, a list of objects), of completions (`tokens` and `token_logprobs`, two lists) and of
    responses (the list itself)."""
    if isinstance(logprobs, dict):
        if isinstance(logprobs.get("tokens"), list):
            numbers = logprobs.get("token_logprobs")
            numbers = numbers if isinstance(numbers, list) else []
            spelled = [_spelled(token, None) for token in logprobs["tokens"]]
            padded = [*map(_number, numbers), *[None] * len(spelled)]
            return [Token(*pair) for pair in zip(spelled, padded, strict=False)]
        logprobs = logprobs.get("content")
    return [
        Token(_spelled(one.get("token"), one.get("bytes")), _number(one.get("logprob")))
        for _, one in _numbered(logprobs)
    ]


def _spelled(token: Any, told: Any) -> bytes:
    """A token may be a part of a character, which only its bytes can tell."""
    if isinstance(told, list) and all(type(byte) is int and 0 <= byte < 256 for byte in told):
        return bytes(told)
    if not isinstance(token, str):
        return b""
    parts = _BYTES.fullmatch(token)
    if parts is not None:
        return bytes.fromhex(parts[1].replace("\\x", ""))
    return token.encode("utf-8", "surrogatepass")


def _number(value: Any) -> float | None:
    """A logarithm of a probability: None for what can be none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value <= _ROUNDED:  # NaN is no less
        return None
    return float(value) if value >= _UNLIKELY else _UNLIKELY
