"""A stream's channels: the pointers, in the equivalent plain answer, of the texts that it speaks."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.exchange import Kind, Role
from lockgate.wire.lens import choice_of


def role_of(channel: str) -> Role:
    return "upstream" if channel.startswith("/error") else "assistant"


def turn_of(channel: str, kind: Kind) -> str:
    """Channels of one turn go side by side (reasoning may come under two names): none of them waits for another to go
    on. Empty for what has no turn of its own: log probabilities, notes."""
    if kind == "reasoning":
        return kind
    spoken = channel.endswith(("/message/content", "/message/refusal")) or (
        channel.startswith("/output/") and channel.endswith(("/text", "/refusal"))
    )
    return channel if kind == "tool_call" or spoken else ""


def concerning(choice: int, unknown: Iterable[str]) -> list[str]:
    """Of what no lens knows: what is this choice's, and what is nobody's and so concerns them all."""
    return [where for where in unknown if choice_of(where) in (None, choice)]
