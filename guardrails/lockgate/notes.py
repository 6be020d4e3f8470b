"""What a flag says, and where: the note that a policy asks for, in the words of one reader."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lockgate.messages import catalogue, chosen

Form = Literal["footnote", "inline", "metadata"]
At = Literal["end", "sentence"]

_MARKDOWN = re.compile(
    r"^ {0,3}(?:#{1,6} |[-*+] |\d{1,9}[.)] |> |```|~~~|\|.*\|[ \t]*$)|\*\*\S|`[^`\n]+`|\]\([^()\s]+\)", re.MULTILINE
)
_COUNTRY = re.compile(r"country:([A-Z]{2})")


@dataclass(frozen=True, slots=True)
class Note:
    """`texts` are the policy's own, by language; `message` is a key of the catalogue, "" if it names none. A `bare` one
    is a text alone, as a word to programs: it is not placed, and what is behind it is not told."""

    texts: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    form: Form = "metadata"
    at: At = "end"
    bare: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """Notes of one key say the same, and are given once."""
        return (self.message, *self.texts.values())

    @property
    def within(self) -> bool:
        """It stands within the text, so that what it is about has to be known before the text leaves."""
        return self.form == "inline" or (self.form == "footnote" and self.at == "sentence")

    def text(self, language: str, country: str) -> str:
        """As a sentence, in one line."""
        said = catalogue()[self.message]["note"] if self.message else {}
        return " ".join(chosen(language, country, self.texts, said).split()) if not self.bare else self.texts["en"]

    def mark(self, language: str, country: str) -> str:
        """As a mark within a text."""
        said = catalogue()[self.message]["mark"] if self.message else {}
        return chosen(language, country, self.texts, said)


def is_markdown(text: str) -> bool:
    """Whether a text has the form of Markdown."""
    return _MARKDOWN.search(text) is not None


def footnotes(text: str, notes: Iterable[str]) -> str:
    """What is put behind a text, so that it ends with notes: paragraphs of their own, in italics where it is Markdown."""
    style = _italic if is_markdown(text) else str
    ends = 2 if text.endswith("\n\n") else 1 if text.endswith("\n") else 0
    return "\n" * (2 - ends) + "\n\n".join(style(note) for note in notes)


def _italic(note: str) -> str:
    return "*" + re.sub(r"([\\`*_\[\]<>])", r"\\\1", note) + "*"


def country_of(tags: Iterable[str]) -> str:
    """The reader's country, by the request's tag ``country:XX``; "" if it has none."""
    return next((found[1] for tag in tags if (found := _COUNTRY.fullmatch(tag))), "")
