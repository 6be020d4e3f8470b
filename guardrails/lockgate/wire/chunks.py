"""The pieces of a stream as Python has them: texts, and an SDK's chunks of a streamed chat answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockgate.errors import WireError
from lockgate.wire.chat import ChatLens
from lockgate.wire.lens import Delta, EventReading
from lockgate.wire.objects import copied, plain, put
from lockgate.wire.token_logprobs import Tokens, event_tokens

CHANNEL = ""
"""The channel of texts: the pointer of a bare text."""


def read_piece(piece: Any) -> EventReading:
    """What one piece adds to the answer. What is neither a text nor a chunk is unknown; None is nothing."""
    if piece is None:
        return EventReading()
    if isinstance(piece, str):
        return EventReading([Delta(0, CHANNEL, "", "text", piece)])
    document = plain(piece)[0]
    if _is_chunk(document):
        try:
            return ChatLens().read_event(document)
        except WireError:
            pass  # it only looks like one
    return EventReading(skipped={CHANNEL: "unread: unknown"}, unknown=[CHANNEL])


def with_tokens(known: Tokens | None, piece: Any) -> Tokens | None:
    """What is known of an answer's tokens with what one more piece tells. None: no piece was one that could tell."""
    found = known or {}
    event_tokens(plain(piece)[0], found)
    return found or None


def edit_piece(piece: Any, texts: Mapping[str, str | None]) -> Any:
    """The piece, or a copy of it with other texts: pointer → text, None for what spelled the old one."""
    if not texts or isinstance(piece, str):
        return texts.get("", piece)
    edited = copied(piece)
    for where, text in texts.items():
        put(edited, where, text)
    return edited


def _is_chunk(document: Any) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("choices"), list):
        return False
    choices = document["choices"]
    return document.get("object") == "chat.completion.chunk" or any(
        isinstance(choice, dict) and isinstance(choice.get("delta"), dict) for choice in choices
    )
