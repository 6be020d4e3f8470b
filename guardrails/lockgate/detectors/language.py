"""In which language a text is, by CLD2, and the detector for texts in other languages than those that a policy allows.

Text with few letters, code and numbers are in no language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from lockgate.detectors.protocol import SENTENCE
from lockgate.detectors.remembered import Remembered, mark_of
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding

KIND = "language"
LABEL = "OTHER_LANGUAGE"
UNKNOWN = "und"
"""A language that could not be told, in letters that are not Latin."""
FEWEST = 20
"""Letters below which a text is not judged."""

_LETTER = re.compile(r"[^\W\d_]")
_CODE = re.compile(r"[{}<>=;|\\]|\(\)|::|->|\b(?:def|import|return|const|function|class|SELECT|FROM)\b|https?://|\w_\w")
_CODE_SHARE = 40  # characters a mark of code: denser than that, it is code
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]|[\U0001fffe\U0001ffff]")

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


def language_of(text: str) -> str | None:
    """The language's code (ISO 639-1 where it has one), or None where nobody could say."""
    mark = mark_of(text)
    told = _TOLD.get(mark, "")
    return told if told != "" else _TOLD.keep(mark, _language_of(text))


_TOLD = Remembered[str | None](4_096)


def _language_of(text: str) -> str | None:
    if len(_LETTER.findall(text, 0, 2000)) < FEWEST or len(_CODE.findall(text)) * _CODE_SHARE > len(text):
        return None
    import pycld2

    try:
        sure, _, found = pycld2.detect(_CONTROL.sub(" ", text), isPlainText=True)
    except (pycld2.error, ValueError):
        return None
    code = str(found[0][1])
    if sure and code != "un":
        return code.partition("-")[0]
    # Which of its neighbours a text in another script is in may be unsure; that it is in none of ours is not.
    letters = _LETTER.findall(text, 0, 2000)
    foreign = sum(letter > "\u024f" for letter in letters)
    return (UNKNOWN if code == "un" else code.partition("-")[0]) if foreign * 2 > len(letters) else None


class LanguageConfig(BaseModel):
    """`allowed`: the languages in which texts may be, by their ISO 639 codes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    allowed: Annotated[
        tuple[Language, ...],
        BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
        Field(min_length=1),
    ]


class LanguageDetector:
    """A finding for each sentence window in a language that is not `allowed`."""

    kind = KIND
    labels = frozenset({LABEL})
    languages = frozenset[str]()
    reach = SENTENCE
    gives_spans = True
    instant = True

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = frozenset(allowed)

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding]:  # noqa: ARG002
        return [
            Finding(KIND, LABEL, 1.0, segment.where, (0, len(segment.text)))
            for segment in segments
            if (found := language_of(segment.text)) is not None and found not in self._allowed
        ]


def build(config: LanguageConfig) -> LanguageDetector:
    """Raises PolicyError where the package that knows languages is not installed."""
    need_languages()
    return LanguageDetector(config.allowed)


def need_languages() -> None:
    """Raises PolicyError."""
    try:
        import pycld2  # noqa: F401
    except ImportError:
        raise PolicyError(
            "languages are told apart by a package that is not installed: pycld2", hint="pip install 'lockgate[cpu]'"
        ) from None
