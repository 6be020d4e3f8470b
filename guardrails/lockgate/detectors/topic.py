"""What a text is about: how near its sentence embedding is to examples that the policy lists. Nothing is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from lockgate.detectors.classifier import read_units, units_of, whole_of
from lockgate.detectors.model import MODELS, TEXT, Model
from lockgate.detectors.protocol import SENTENCE, WHOLE
from lockgate.detectors.units import Unit, covering
from lockgate.errors import PolicyError
from lockgate.exchange import Exchange, Segment
from lockgate.normalise import seen
from lockgate.verdict import Finding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KIND = "topic"
OFF_TOPIC = "OFF_TOPIC"
_SHORT = 12  # letters and digits: "Thanks!" is about nothing

Topic = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Examples = Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=400)], ...], Field(min_length=1)]
Likeness = Annotated[float, Field(ge=0, le=1)]


class TopicConfig(BaseModel):
    """`denied`: topic → examples; a text at least `above` like one of them is found under the topic's name.
    `allowed`: likewise; a text less than `below` like any of them is found as OFF_TOPIC. Likeness is the cosine of
    sentence embeddings. `model`: the one that embeds."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    denied: dict[Topic, Examples] = {}
    allowed: dict[Topic, Examples] = {}
    above: Likeness = 0.5
    below: Likeness = 0.25
    model: Annotated[str, StringConstraints(min_length=1)] = TEXT

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.denied and not self.allowed:
            raise ValueError("write `denied`, `allowed`, or both, each with topics and their examples")
        return self


class TopicDetector:
    """Denied topics are judged sentence by sentence, in company. What is allowed is judged of the whole text: not every
    sentence of a talk about a topic names it."""

    kind = KIND
    cuts = True

    def __init__(self, model: Model, config: TopicConfig) -> None:
        self._model = model
        self._config = config
        self._known: tuple[int, Mapping[str, NDArray[np.float32]]] | None = None
        self.labels = frozenset(config.denied) | (frozenset({OFF_TOPIC}) if config.allowed else frozenset())
        self.models = (model.name,)
        self.languages = frozenset(model.manifest.languages)
        self.reach = WHOLE if config.allowed else SENTENCE
        self.gives_spans = not config.allowed

    async def detect(self, segments: Sequence[Segment], exchange: Exchange) -> Sequence[Finding]:
        import numpy as np

        examples = await self._examples(exchange.id)
        asked = [(whole_of(segment), units_of(segment)) for segment in segments]
        found: list[Finding] = []
        for segment, read in zip(segments, await read_units(self._model, asked, exchange.id), strict=True):
            shift = len(segment.before or "")
            embeddings = [one.scores.embedding for one in read if one.scores.embedding is not None]
            for one in read:
                for topic in self._config.denied:
                    like = _like(one.scores.embedding, examples[topic])
                    if like >= self._config.above:
                        place = (one.unit.own - shift, one.unit.end - shift)
                        found.append(Finding(KIND, topic, like, segment.where, place))
            if self._config.allowed and embeddings and sum(map(str.isalnum, segment.text)) >= _SHORT:
                mean = np.mean(embeddings, axis=0)
                mean = mean / max(float(np.linalg.norm(mean)), 1e-9)
                like = max(_like(mean, examples[topic]) for topic in self._config.allowed)
                if like < self._config.below:
                    found.append(Finding(KIND, OFF_TOPIC, 1.0 - like, segment.where))
        return found

    def threshold(self, topic: str) -> float:
        """From which score on a topic counts, as `likeness` gives scores."""
        return 1.0 - self._config.below if topic == OFF_TOPIC else self._config.above

    async def likeness(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """How near each text is to each topic, and how far from all that is allowed: what `detect` compares."""
        import numpy as np

        examples = await self._examples("score")
        units = [covering(text) or [Unit(0, 0, 0)] for text in texts]
        found: list[dict[str, float]] = []
        for read in await read_units(self._model, list(zip(texts, units, strict=True)), "score"):
            made = np.stack([one.scores.embedding for one in read if one.scores.embedding is not None])
            said = {topic: max(_like(one, examples[topic]) for one in made) for topic in self._config.denied}
            if self._config.allowed:
                mean = made.mean(axis=0) / max(float(np.linalg.norm(made.mean(axis=0))), 1e-9)
                said[OFF_TOPIC] = 1.0 - max(_like(mean, examples[topic]) for topic in self._config.allowed)
            found.append(said)
        return found

    async def _examples(self, lane: str) -> Mapping[str, NDArray[np.float32]]:
        """Topic → its examples' embeddings (examples, width): made once in a process."""
        import numpy as np

        if self._known is None or self._known[0] != os.getpid():
            known = {}
            for topic, texts in (self._config.denied | self._config.allowed).items():
                scores = await self._model.classifier().scores([seen(text) for text in texts], lane)
                known[topic] = np.stack([score.embedding for score in scores if score.embedding is not None])
            self._known = (os.getpid(), known)
        return self._known[1]


def _like(embedding: Any, examples: NDArray[np.float32]) -> float:
    return min(1.0, max(0.0, float((examples @ embedding).max())))


def build(config: TopicConfig) -> TopicDetector:
    """Raises PolicyError for a model that is not there, or embeds nothing."""
    model = MODELS.named(config.model)
    if not model.manifest.embedding:
        raise PolicyError(f"model: {config.model!r} gives no sentence embeddings")
    if both := sorted(set(config.denied) & set(config.allowed)):
        raise PolicyError(f"allowed: {both[0]!r} is denied too")
    return TopicDetector(model, config)
