"""Marks of texts: HMAC-SHA256 under a key, cut to 128 bits. Equal texts have equal marks, and no mark tells its text."""

from __future__ import annotations

import hmac
import secrets

_MARK = 32  # hex digits


class Marker:
    """Marks texts under a key."""

    def __init__(self, key: bytes | None) -> None:
        self.joinable = key is not None
        self._key = key or secrets.token_bytes(32)

    def mark(self, text: str) -> str:
        return hmac.digest(self._key, encode(text), "sha256").hex()[:_MARK]

    def running(self) -> hmac.HMAC:
        """For a text that comes in pieces: update it with each, as `encode` gives it; `mark_of` is the whole's mark."""
        return hmac.new(self._key, digestmod="sha256")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def mark_of(running: hmac.HMAC) -> str:
    return running.hexdigest()[:_MARK]
