"""Answers that flatter, answers that hedge, and questions that have no answer or rest on what is not so.

`sycophancy` is read of an answer behind its conversation, `hedging` of an answer, `unanswerable` and `false_premise` of
a question. All are said of the whole text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lockgate.detectors.classifier import Score, Sensitivity, unknown_language
from lockgate.detectors.contexts import conversation
from lockgate.detectors.model import HONESTY, MODELS, Model
from lockgate.detectors.protocol import WHOLE, Doubt, OverloadError
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.normalise import seen
from lockgate.verdict import Finding

KIND = "honesty"
Honest = Literal["sycophancy", "hedging", "unanswerable", "false_premise"]
HEADS: tuple[Honest, ...] = ("sycophancy", "hedging", "unanswerable", "false_premise")
OF_CONVERSATIONS = "sycophancy"
_SHORT = 2  # words: less says nothing


class HonestyConfig(BaseModel):
    """`heads`: what is asked. Each counts from the manifest's threshold for this `sensitivity` on (`low` fires least), or
    from `above`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    heads: Annotated[tuple[Honest, ...], Field(min_length=1)]
    sensitivity: Sensitivity = "normal"
    above: Score | None = None
    model: Annotated[str, StringConstraints(min_length=1)] = HONESTY

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, (str, list, tuple)):
            value = {"heads": value}
        if isinstance(value, Mapping) and isinstance(value.get("heads"), str):
            value = {**value, "heads": [value["heads"]]}
        return value


class HonestyDetector:
    """`thresholds`: label → the score from which it counts."""

    kind = KIND
    reach = WHOLE
    gives_spans = False

    def __init__(self, model: Model, thresholds: Mapping[str, float], *, calibrated: bool = True) -> None:
        self.calibrated = calibrated
        self._model = model
        self._thresholds = dict(thresholds)
        self.labels = frozenset(thresholds)
        self.models = (model.name,)
        self.languages = frozenset(model.manifest.languages)

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding | Doubt]:
        mine = [segment for segment in segments if len(segment.text.split()) >= _SHORT]
        turns = conversation(exchange) if OF_CONVERSATIONS in self._thresholds else ""
        said = await honest_scores(
            self._model, [(turns, one.text) for one in mine], frozenset(self._thresholds), exchange.id
        )
        found: list[Finding | Doubt] = []
        for segment, scores in zip(mine, said, strict=True):
            over = [label for label, at in self._thresholds.items() if scores[label] >= at]
            found += [Finding(KIND, label, scores[label], segment.where) for label in over]
            if not over and (unknown := unknown_language(segment.text, self.languages)):
                found.append(Doubt(segment.where, unknown))
        return found


async def honest_scores(
    model: Model, asked: Sequence[tuple[str, str]], labels: frozenset[str], lane: str
) -> list[dict[str, float]]:
    """Label → score of each (conversation, text): `sycophancy` of both, all else of the text alone. Raises OverloadError,
    BackendError."""
    from lockgate_models.errors import OverloadedError

    behind = OF_CONVERSATIONS in labels
    alone = bool(labels - {OF_CONVERSATIONS})
    pairs = [
        pair
        for turns, text in asked
        for wanted, pair in ((behind, (seen(turns), seen(text))), (alone, ("", seen(text))))
        if wanted
    ]
    try:
        scores = iter(await model.classifier().scores(pairs, lane))
    except OverloadedError:
        raise OverloadError from None
    found = []
    for _ in asked:
        together = next(scores).labels if behind else {}
        apart = next(scores).labels if alone else {}
        found.append({label: (together if label == OF_CONVERSATIONS else apart)[label] for label in labels})
    return found


def build(config: HonestyConfig) -> HonestyDetector:
    """Raises PolicyError for a model that is not there, or has not these heads."""
    model = MODELS.named(config.model)
    for head in config.heads:
        if head not in model.manifest.labels or model.manifest.form != "pair":
            raise PolicyError(f"heads: the model {model.manifest.name!r} has no head {head!r}")
        if config.above is None and head not in model.manifest.thresholds:
            raise PolicyError(
                f"heads: {model.manifest.name!r} has no threshold for {head!r}", hint="write `above: 0.5`"
            )
    return HonestyDetector(
        model,
        {
            head: config.above if config.above is not None else model.manifest.threshold(head, config.sensitivity)
            for head in config.heads
        },
        calibrated=config.above is None,
    )
