"""A policy's own patterns."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lockgate.detectors.protocol import MAX_WIDTH, PatternDetector, PatternSpec
from lockgate.detectors.regex import prepare
from lockgate.detectors.views import PLAIN, Views, seen_in
from lockgate.errors import PatternError

KIND = "patterns"

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
"""What findings are called: it stands in conditions and in redacted text, so it is a plain word."""

Regex = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class Pattern(BaseModel):
    """One pattern.

    `regex` has Python's syntax without look-around and back-references; with a capturing group, that group is what is
    found. `max_width` is the most characters that a match may have: a stream holds at most so many back for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    regex: Regex
    ignore_case: bool = False
    max_width: int = Field(default=MAX_WIDTH, ge=1, le=65_536)
    score: float = Field(default=1.0, gt=0, le=1)


class PatternsConfig(BaseModel):
    """`patterns`: label → regex, or a mapping with `regex` and its settings. `views`: the disguises in which they are
    looked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    patterns: dict[Label, Pattern | Regex] = Field(min_length=1)
    views: Views = PLAIN


def build(config: PatternsConfig) -> PatternDetector:
    """Raises PatternError, naming the label, for a pattern that can't be run."""
    specs = (_spec(label, given) for label, given in config.patterns.items())
    return PatternDetector(KIND, seen_in(specs, config.views), frozenset(config.patterns))


def _spec(label: str, given: Pattern | str) -> PatternSpec:
    pattern = given if isinstance(given, Pattern) else Pattern(regex=given)
    try:
        prepare(pattern.regex, max_width=pattern.max_width, ignore_case=pattern.ignore_case)
    except PatternError as error:
        raise PatternError(f"{label}: {error.problem}", where=error.where, hint=error.hint) from None
    return PatternSpec(label, pattern.regex, pattern.score, pattern.ignore_case, pattern.max_width)
