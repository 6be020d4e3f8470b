"""Texts that are longer than allowed."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from lockgate.detectors.protocol import WHOLE, Reach
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding

KIND = "size"
LABEL = "TOO_LONG"


class SizeConfig(BaseModel):
    """`max_characters`: the most code points that a text may have."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    max_characters: int = Field(ge=1)


class SizeDetector:
    """One finding, without a span, for each segment that is longer than allowed. Every segment counts for itself."""

    kind = KIND
    labels = frozenset({LABEL})
    languages: frozenset[str] = frozenset()
    reach: Reach = WHOLE
    gives_spans = False
    instant = True

    def __init__(self, max_characters: int) -> None:
        self._max = max_characters

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding]:  # noqa: ARG002
        return [
            Finding(KIND, LABEL, 1.0, segment.where, choice=segment.choice)
            for segment in segments
            if len(segment.text) > self._max
        ]


def build(config: SizeConfig) -> SizeDetector:
    return SizeDetector(config.max_characters)
