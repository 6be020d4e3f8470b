"""Texts that stand in a request as a file's bytes: data URLs (RFC 2397), and base64 alone."""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote_to_bytes

_HEAD = re.compile(r"\s*data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_TEXTUAL = re.compile(
    r"text/.*|image/svg\+xml|application/(?:.*\+)?(?:json|xml|yaml|x-yaml|toml|sql|graphql|javascript|ecmascript"
    r"|typescript|x-sh|x-httpd-php|x-ndjson|jsonl|csv|rtf|xhtml|x-www-form-urlencoded)",
    re.IGNORECASE,
)
_NAMELESS = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_STRANGE = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def text_of(data: str) -> str | None:
    """The text that a file's data holds: a data URL of a type that is text, or base64 of UTF-8. None for what is no text,
    or can't be read as one."""
    head = _HEAD.match(data)
    if head is None:
        return _plain(_bytes(data), "utf-8") if data[:5].lower() != "data:" else None
    kind, parameters = head.group(1).strip().lower(), head.group(2)
    said = _TEXTUAL.fullmatch(kind)
    if said is None and kind not in _NAMELESS:
        return None
    body = data[head.end() :]
    raw = (
        _bytes(unquote_to_bytes(body).decode("latin-1")) if ";base64" in parameters.lower() else unquote_to_bytes(body)
    )
    charset = _CHARSET.search(parameters)
    text = _plain(raw, charset.group(1) if charset is not None else "utf-8")
    if text is None and said is not None and raw:
        return raw.decode("latin-1")  # it says that it is a text: better read wrongly than not at all
    return text


def _bytes(text: str) -> bytes:
    """Base64 of either alphabet; empty for what is none."""
    try:
        plain = re.sub(r"\s+", "", text).translate(str.maketrans("-_", "+/")).rstrip("=")
        return binascii.a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=False)
    except (binascii.Error, ValueError):
        return b""


def _plain(raw: bytes, charset: str) -> str | None:
    try:
        text = raw.decode(charset)
    except (UnicodeDecodeError, LookupError):
        return None
    return text if text and len(_STRANGE.findall(text)) <= len(text) // 100 else None
