"""What the upstream's own filter says in an answer, and its padding: scores and words, and a text where it failed."""

from __future__ import annotations

from typing import Any

from lockgate.exchange import Reading
from lockgate.wire.pointer import escape
from lockgate.wire.schema_text import read_setting, read_strings

FILTER = "filter: the upstream's own"
PADDING = "padding: the upstream's"
BESIDE = frozenset({"moderation", "obfuscation"})
"""The members of an answer or a chunk that are read here."""


def read_beside(reading: Reading, document: dict[str, Any]) -> None:
    """Those of them that a document has."""
    if "moderation" in document:
        read_moderation(reading, "/moderation", document["moderation"])
    padding = document.get("obfuscation")
    if padding is not None:
        if isinstance(padding, str) and (not padding or (padding.isascii() and padding.isalnum())):
            reading.skip("/obfuscation", PADDING)
        else:
            reading.unread("/obfuscation")


def read_moderation(reading: Reading, where: str, value: Any) -> None:
    """The `moderation` of an answer or a chunk: of input and output, results, or an error, whose message is read."""
    if not isinstance(value, dict):
        read_setting(reading, where, value, FILTER)
        return
    for side, part in value.items():
        at = f"{where}/{escape(side)}"
        if side not in ("input", "output"):
            reading.unread(at)
            continue
        if isinstance(part, dict) and "message" in part:
            read_strings(reading, f"{at}/message", part["message"], role="upstream", kind="text")
            read_setting(reading, at, {key: member for key, member in part.items() if key != "message"}, FILTER)
        else:
            read_setting(reading, at, part, FILTER)
