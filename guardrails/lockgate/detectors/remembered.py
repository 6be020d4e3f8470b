"""What was worked out of texts, by their marks: several detectors ask of the same text, and a conversation's history comes again
with each turn. No text is kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import Generic, TypeVar

T = TypeVar("T")

_KEY = secrets.token_bytes(32)


def mark_of(text: str) -> bytes:
    """Sixteen bytes that stand for a text in this process, and tell nothing of it elsewhere."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=_KEY).digest()


class Remembered(Generic[T]):
    """Mark → what is known, of `most` texts; when there are more, all are forgotten."""

    __slots__ = ("_known", "_most")

    def __init__(self, most: int) -> None:
        self._known: dict[bytes, T] = {}
        self._most = most

    def __contains__(self, mark: bytes) -> bool:
        return mark in self._known

    def get(self, mark: bytes, default: T) -> T:
        return self._known.get(mark, default)

    def keep(self, mark: bytes, value: T) -> T:
        if len(self._known) >= self._most:
            self._known = {}  # whoever reads the old one may finish
        self._known[mark] = value
        return value
