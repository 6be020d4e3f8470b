"""The message catalogue: what the guard says to readers, by key and language. The texts are in `messages.json`.

A language is ISO 639's code, or that with a country (``en-GB``), whose words come first there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

DEFAULT = "en"
"""The language of who speaks none that the catalogue has."""

Texts = Mapping[str, str]
"""Language → text."""


@cache
def catalogue() -> Mapping[str, Mapping[Literal["note", "mark"], Texts]]:
    """Key → its `note`, a sentence, and its `mark`, a word or two."""
    path = Path(__file__).with_name("messages.json")
    found: Mapping[str, Mapping[Literal["note", "mark"], Texts]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def chosen(language: str, country: str, *sources: Texts) -> str:
    """The text for a reader: in the language, with the country's words if there are any; of several sources, the first
    that has it. If none has, in English; if none has that, the first there is. "" where there is nothing."""
    for texts, name in _wanted(language, country, sources):
        if name in texts:
            return texts[name]
    return next((text for texts in sources for text in texts.values()), "")


def _wanted(language: str, country: str, sources: tuple[Texts, ...]) -> Iterator[tuple[Texts, str]]:
    for spoken in dict.fromkeys((language, DEFAULT)):
        for texts in sources:
            yield texts, f"{spoken}-{country}"
            yield texts, spoken
