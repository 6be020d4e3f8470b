"""Where an asker is, what they speak, and what else is known of them, by headers that the operator trusts."""

from __future__ import annotations

import re

from lockgate_proxy.headers import Headers, value_of
from lockgate_proxy.settings import Settings

MOST_TAGS = 16
_TAG = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}")
_COUNTRY = re.compile(rb"[A-Za-z]{2}")
_LANGUAGE = re.compile(rb"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*)\s*(?:[,;]|\Z)")


def country_of(settings: Settings, headers: Headers) -> str:
    """ISO 3166 code, in capitals; "" where no header is trusted, or it says none."""
    said = _said(settings.country_header, headers)
    return said.decode().upper() if _COUNTRY.fullmatch(said) else ""


def language_of(settings: Settings, headers: Headers) -> str:
    """The first language tag of the header; "" where none is trusted, or it has none."""
    found = _LANGUAGE.match(_said(settings.language_header, headers))
    return found[1].decode() if found else ""


def tags_of(settings: Settings, headers: Headers) -> tuple[str, ...]:
    """The words of the header that can be tags, `MOST_TAGS` at most; none where no header is trusted."""
    words = (word.strip() for word in _said(settings.tags_header, headers).split(b","))
    return tuple(word.decode() for word in words if _TAG.fullmatch(word))[:MOST_TAGS]


def _said(name: str | None, headers: Headers) -> bytes:
    return (value_of(headers, name.lower().encode()) or b"").strip() if name is not None else b""
