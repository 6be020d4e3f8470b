"""An answer that is no JSON, or none that can be read in one way only: read as the text that it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lockgate.act import apply
from lockgate.exchange import Segment
from lockgate.verdict import Edit

UNESCAPED = "#unescaped"
"""Where a finding stands that only shows once JSON's escapes are undone. Nothing can be edited there."""

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def read_raw(body: bytes) -> list[Segment]:
    """`body` as one text; as a second one with escapes undone, where it may be JSON after all."""
    text = _text(body)
    segments = [Segment("", "assistant", "text", text, 0)] if text else []
    plain = unescaped(body)
    if plain != text:
        segments.append(Segment(UNESCAPED, "assistant", "text", plain, 0, fixed=True))
    return segments


def edit_raw(body: bytes, edits: Sequence[Edit]) -> bytes:
    """`body` with the edits of its text applied. Bytes that are no UTF-8 stay as they are."""
    mine = [edit for edit in edits if not edit.where]
    return apply(_text(body), mine).encode("utf-8", "surrogateescape") if mine else body


def unescaped(body: bytes) -> str:
    """The text of `body`, with JSON's escapes undone if it begins like a JSON document."""
    text = _text(body)
    if "\\" not in text or text.lstrip("\ufeff \t\r\n")[:1] not in ("{", "["):
        return text
    joined = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _SHORT.get(m[2], m[2]), text)
    return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")
