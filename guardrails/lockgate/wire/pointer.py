"""JSON pointers (RFC 6901)."""

from __future__ import annotations

import re
from typing import Any

_INDEX = re.compile("0|[1-9][0-9]*")


def escape(token: object) -> str:
    """One reference token, escaped. A key that is no text, which JSON does not have and Python does, is shown by its
    value if that is a number, else by its type."""
    if not isinstance(token, str):
        return str(token) if isinstance(token, (int, float)) else type(token).__name__
    return token.replace("~", "~0").replace("/", "~1") if "~" in token or "/" in token else token


def tokens(pointer: str) -> list[str]:
    """The unescaped tokens of a pointer. Raises ValueError for a pointer that doesn't begin with a slash."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise ValueError(f"not a JSON pointer: {pointer!r}")
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def get(document: Any, pointer: str) -> Any:
    """The value at `pointer`. Raises KeyError where there is none."""
    value = document
    for token in tokens(pointer):
        if isinstance(value, dict):
            value = value[token]
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            raise KeyError(pointer)
    return value
