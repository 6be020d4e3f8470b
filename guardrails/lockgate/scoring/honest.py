"""Rows → what the honesty model says of them: answers against their contexts and conversations, and questions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lockgate.detectors.classifier import Sensitivity, labels_of, unknown_language
from lockgate.detectors.contexts import Contexts
from lockgate.detectors.grounding import LABEL, SPAN, claims, judge, unsupported
from lockgate.detectors.honesty import OF_CONVERSATIONS, honest_scores
from lockgate.detectors.model import Model
from lockgate.scoring.fields import field_of
from lockgate.scoring.rows import Row
from lockgate.scoring.spans import Span

_LANE = "score"


@dataclass(slots=True)
class Said:
    """Of one row. `over`: label → whether it holds, of those that have a threshold."""

    scores: dict[str, float] = field(default_factory=dict)
    over: dict[str, bool] = field(default_factory=dict)
    spans: list[Span] | None = None
    unverified: list[str] = field(default_factory=list)


class Honest:
    """`heads`: those that are asked, all unless said; what the model has not is not its to say."""

    def __init__(self, model: Model, text: Model, heads: Sequence[str] | None, sensitivity: Sensitivity) -> None:
        self._model = model
        self._text = text
        mine = set(model.manifest.labels)
        asked = None if heads is None else [head for head in heads if head in mine]
        self.labels = labels_of(model.manifest, list(model.manifest.families) if asked is None else asked)
        self.thresholds: Mapping[str, float] = {
            label: model.manifest.threshold(label, sensitivity)
            for label in self.labels
            if label in model.manifest.thresholds
        }

    async def judge(self, rows: Sequence[Row]) -> list[Said]:
        """One for each row. Raises OverloadError, BackendError."""
        found = [Said() for _ in rows]
        jobs = [
            self._ground(row, said) for row, said in zip(rows, found, strict=True) if LABEL in self.asked(row)
        ]  # each has evidence of its own
        wanted: dict[tuple[str, frozenset[str]], list[tuple[Row, Said]]] = {}
        for row, said in zip(rows, found, strict=True):
            for label in self.asked(row):
                if label != LABEL:
                    where = field_of(label, row.texts) or ""
                    wanted.setdefault((where, frozenset({label})), []).append((row, said))
        jobs += [self._read(where, labels, pairs) for (where, labels), pairs in wanted.items()]
        await asyncio.gather(*jobs)
        return found

    def asked(self, row: Row) -> list[str]:
        return [label for label in self.labels if field_of(label, row.texts) is not None]

    async def _ground(self, row: Row, said: Said) -> None:
        answer = row.texts["response"]
        contexts = Contexts((row.texts["context"],), row.texts.get("prompt", ""))
        at = self.thresholds.get(LABEL)
        said.scores[LABEL] = 0.0
        said.over |= {LABEL: False} if at is not None else {}
        said.spans = []
        for one in await judge(self._model, self._text, contexts, answer, claims(answer), _LANE):
            score, spans = unsupported(one, at if at is not None else 0.5, figures=True)
            said.scores[LABEL] = round(max(said.scores[LABEL], score), 9)
            said.over |= {LABEL: said.over[LABEL] or bool(spans)} if at is not None else {}
            said.spans += [Span(start, end, SPAN, round(score, 9)) for start, end in spans]
            if not spans:
                self._doubt(LABEL, answer[one.start : one.end], said)

    async def _read(self, where: str, labels: frozenset[str], pairs: Sequence[tuple[Row, Said]]) -> None:
        asked = [(row.texts["prompt"] if OF_CONVERSATIONS in labels else "", row.texts[where]) for row, _ in pairs]
        for (row, said), scores in zip(pairs, await honest_scores(self._model, asked, labels, _LANE), strict=True):
            for label, score in scores.items():
                said.scores[label] = round(score, 9)
                if label in self.thresholds:
                    said.over[label] = score >= self.thresholds[label]
                    if not said.over[label]:
                        self._doubt(label, row.texts[where], said)

    def _doubt(self, label: str, text: str, said: Said) -> None:
        if label not in said.unverified and unknown_language(text, self._model.manifest.languages):
            said.unverified.append(label)
