"""Marks of texts: HMAC-SHA256 under a key, cut to 128 bits. Equal texts have equal marks, and no mark tells its text."""

from __future__ import annotations

import hmac
import re
import secrets

_MARK = 32  # hex digits

_NAME = re.compile(r"#?[a-z][a-z0-9_]{0,39}")
"""What a member of an API may be called; also those that no lens knows."""
_INDEX = re.compile(r"\d{1,6}", re.ASCII)
"""A place in an array. A longer number may be a name: somebody's telephone."""
_OWN_WORDS = frozenset({"metadata", "parameters", "schema", "web_search_options", "error"})
"""Below these, names are the client's or the upstream's."""
_KNOWN = re.compile(r"/(?:messages|choices)/\d+(?:/(?:message|content|\d+|text|reasoning|reasoning_content|refusal))*")


class Marker:
    """Marks texts under a key."""

    def __init__(self, key: bytes | None) -> None:
        self.joinable = key is not None
        self._key = key or secrets.token_bytes(32)

    def mark(self, text: str) -> str:
        return hmac.digest(self._key, encode(text), "sha256").hex()[:_MARK]

    def place(self, pointer: str) -> str:
        """A JSON pointer, with a mark in place of each name in it that is the client's own words."""
        if not pointer or _KNOWN.fullmatch(pointer):
            return pointer
        own = False
        shown: list[str] = []
        for token in pointer.split("/"):
            hidden = token and not _INDEX.fullmatch(token) and (own or not _NAME.fullmatch(token))
            shown.append(f"~{self.mark(token)[:8]}" if hidden else token)
            own = own or token in _OWN_WORDS
        return "/".join(shown)

    def running(self) -> hmac.HMAC:
        """For a text that comes in pieces: update it with each, as `encode` gives it; `mark_of` is the whole's mark."""
        return hmac.new(self._key, digestmod="sha256")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def mark_of(running: hmac.HMAC) -> str:
    return running.hexdigest()[:_MARK]
