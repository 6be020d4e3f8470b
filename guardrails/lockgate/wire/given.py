"""What a request says to the guard alone, in its member `lockgate`: read, and taken out before the request goes on.

``{"lockgate": {"context": ["…"]}}`` gives the texts that the answer should rest on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lockgate.errors import WireError
from lockgate.wire.splice import locate, without_value

MEMBER = "lockgate"
REASON = "given: context for the guard alone, not forwarded"
_KEYS = frozenset({"context"})


class Given(NamedTuple):
    """`body` and `document` without the member; `context`: what stood in it."""

    body: bytes
    document: Mapping[str, Any]
    context: tuple[str, ...]


def taken(body: bytes, document: Any) -> Given | None:
    """None where a request says nothing to the guard. Raises WireError where what it says can't be read."""
    if not isinstance(document, dict) or MEMBER not in document:
        return None
    context = _context(document[MEMBER])
    while True:  # a key may stand there twice, of which one was read
        try:
            place = locate(body, [f"/{MEMBER}"])[f"/{MEMBER}"]
        except KeyError:
            break
        body = without_value(body, place)
    return Given(body, {key: value for key, value in document.items() if key != MEMBER}, context)


def _context(said: Any) -> tuple[str, ...]:
    if not isinstance(said, dict):
        raise WireError(f"{MEMBER} must be an object", where=f"/{MEMBER}", code="invalid_type")
    if unknown := sorted(said.keys() - _KEYS):
        raise WireError(
            f"{MEMBER} knows no {unknown[0][:40]!r}, only context", where=f"/{MEMBER}", code="unknown_parameter"
        )
    texts = said.get("context", [])
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise WireError(
            f"{MEMBER}.context must be a text or a list of texts", where=f"/{MEMBER}/context", code="invalid_type"
        )
    return tuple(texts)
