"""Rows against the topics of a rule: how near each text is to the rule's examples, so that thresholds can be chosen by
labelled texts.

A row's label is in `labels`, as ``{"topic": "elections"}``, or a list of topics; an empty one for none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lockgate.detectors.protocol import OverloadError
from lockgate.detectors.topic import KIND, OFF_TOPIC, TopicDetector
from lockgate.scoring.rows import Bad, Row
from lockgate.scoring.scorer import Judged
from lockgate.scoring.spans import Pii
from lockgate_models.errors import BackendError, OverloadedError

_FIELDS = ("text", "prompt", "response", "context")


class TopicScorer:
    """As `Scorer`, for the topics of one detector: their labels are ``topic.NAME``. A threshold is the rule's own;
    OFF_TOPIC counts from 1 less `below` on."""

    pii: Pii | None = None
    missing: Sequence[str] = ()
    thresholds_of_answers: Mapping[str, float] = {}

    def __init__(self, detector: TopicDetector, name: str) -> None:
        self.name = name
        self._detector = detector
        self._topics = sorted(detector.labels)
        self.thresholds = {f"{KIND}.{topic}": detector.threshold(topic) for topic in self._topics}

    async def judged(self, rows: Sequence[Row]) -> list[Judged | Bad]:
        """One for each row. A row on which something breaks is `Bad`, and so is one whose label is no topic."""
        texts = [next((row.texts[name] for name in _FIELDS if name in row.texts), "") for row in rows]
        try:
            found = await self._detector.likeness(texts)
        except (BackendError, OverloadedError, OverloadError) as error:
            if len(rows) == 1:
                return [Bad(rows[0].line, rows[0].id, f"it could not be judged: {type(error).__name__}")]
            return [one for row in rows for one in await self.judged([row])]
        return [self._said(row, scores) for row, scores in zip(rows, found, strict=True)]

    def _said(self, row: Row, found: Mapping[str, float]) -> Judged | Bad:
        named = row.said.get("labels")
        word = named.get(KIND) if isinstance(named, Mapping) else None
        wanted: list[Any] = word if isinstance(word, list) else [] if word in (None, "", "none") else [word]
        if unknown := [one for one in wanted if one not in self._topics and one != OFF_TOPIC]:
            known = any(isinstance(one, str) for one in unknown)
            return Bad(
                row.line, row.id, "labels.topic: names none of the rule's topics" if known else "labels.topic: no name"
            )
        right = {f"{KIND}.{topic}": int(topic in wanted) for topic in self._topics}
        if OFF_TOPIC in self._topics and not wanted:
            right[f"{KIND}.{OFF_TOPIC}"] = 1
        scores = {f"{KIND}.{topic}": round(score, 9) for topic, score in found.items()}
        over = {label: score >= self.thresholds[label] for label, score in scores.items()}
        said = {**row.said, "labels": right}
        return Judged(replace(row, said=said), scores, over, {}, None, [])
