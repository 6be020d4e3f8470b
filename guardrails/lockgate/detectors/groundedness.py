"""What an answer says that its context does not: names, numbers and claims that nothing there supports.

The context is what the exchange carries: documents, tools' results, a search's results, what the request says under
``lockgate.context``, and parts of messages that are marked. An answer without any has nothing to rest on, and is not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lockgate.detectors.classifier import Score, Sensitivity, unknown_language, whole_of
from lockgate.detectors.contexts import MARKS, contexts_of
from lockgate.detectors.grounding import LABEL, Sentence, claims, judge, unsupported
from lockgate.detectors.model import HONESTY, MODELS, TEXT, Model
from lockgate.detectors.protocol import SENTENCE, Doubt
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.verdict import Finding

KIND = "groundedness"
UNSUPPORTED = "UNSUPPORTED"


class GroundednessConfig(BaseModel):
    """A sentence counts from the manifest's threshold for this `sensitivity` on (`low` fires least), or from `above`.
    `figures`: whether a number that no part of the context has counts by itself. `marks`: the words that stand over, or
    as a tag around, a part of a message that is context. `model`: one that reads pairs."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    sensitivity: Sensitivity = "normal"
    above: Score | None = None
    figures: bool = True
    marks: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=60)], ...], Field(max_length=50)
    ] = MARKS
    model: Annotated[str, StringConstraints(min_length=1)] = HONESTY

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"sensitivity": value} if isinstance(value, str) else value


class GroundednessDetector:
    """Judges sentence by sentence, so that a stream and its whole are told the same."""

    kind = KIND
    reach = SENTENCE
    gives_spans = True
    cuts = True
    labels = frozenset({UNSUPPORTED})

    def __init__(self, pair: Model, text: Model | None, threshold: float, config: GroundednessConfig) -> None:
        self._pair = pair
        self._text = text
        self._threshold = threshold
        self._config = config
        self.calibrated = config.above is None
        self.models = tuple(model.name for model in (pair, text) if model is not None)
        self.languages = frozenset(pair.manifest.languages)

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding | Doubt]:
        contexts = contexts_of(exchange, self._config.marks)
        if not contexts:
            return []
        found: list[Finding | Doubt] = []
        for segment in segments:
            text, shift = whole_of(segment), len(segment.before or "")
            asked = [(start, end) for start, end in claims(text) if end > shift]
            for said in await judge(self._pair, self._text, contexts, text, asked, exchange.id):
                mine = self._findings(segment.where, said, shift)
                found += mine
                if not mine and (unknown := unknown_language(text[said.start : said.end], self.languages)):
                    found.append(Doubt(segment.where, unknown))
        return found

    async def ahead(self, segment: Segment, exchange: Exchange) -> None:
        """What can be asked before an answer is whole: its sentences up to the last one, which may go on. The models
        remember what they said of them."""
        ended = claims(segment.text)[:-1]
        if ended and (contexts := contexts_of(exchange, self._config.marks)):
            await judge(self._pair, self._text, contexts, segment.text, ended, exchange.id)

    def _findings(self, where: str, said: Sentence, shift: int) -> list[Finding]:
        score, spans = unsupported(said, self._threshold, figures=self._config.figures)
        placed = [(max(start - shift, 0), end - shift) for start, end in spans if end > shift]
        return [Finding(KIND, UNSUPPORTED, score, where, span) for span in placed]


def build(config: GroundednessConfig) -> GroundednessDetector:
    """Raises PolicyError for a model that is not there, or judges no support."""
    pair = MODELS.named(config.model)
    if LABEL not in pair.manifest.labels or pair.manifest.form != "pair":
        raise PolicyError(f"model: {config.model!r} does not judge whether an answer is supported")
    if config.above is None and LABEL not in pair.manifest.thresholds:
        raise PolicyError(f"the model {config.model!r} has no threshold for {LABEL!r}", hint="write one: `above: 0.5`")
    threshold = config.above if config.above is not None else pair.manifest.threshold(LABEL, config.sensitivity)
    return GroundednessDetector(pair, MODELS.named(TEXT), threshold, config)
